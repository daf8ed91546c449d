/* Preloaded under QEMU, whose Cortex-A53 always has the AES, SHA and polynomial extensions: tells a
 * program that it has none, as the kernel of a Pi Zero 2W does. */
#include <asm/hwcap.h>
#include <sys/auxv.h>

extern unsigned long __getauxval(unsigned long);

unsigned long getauxval(unsigned long type) {
  unsigned long value = __getauxval(type);
  if (type == AT_HWCAP)
    value &= ~(unsigned long)(HWCAP_AES | HWCAP_PMULL | HWCAP_SHA1 | HWCAP_SHA2 | HWCAP_SHA512);
  return value;
}
