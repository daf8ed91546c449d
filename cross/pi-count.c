/* A plugin for QEMU's user emulation: counts the instructions that a program executes, and among them
 * those of the optional AES, SHA and polynomial extensions, which a Pi Zero 2W has not. At its end it
 * writes "instructions N crypto M" into the file of its argument out=FILE.
 *
 * Debian ships no qemu-plugin.h; what is used of it is declared here, and is the same from QEMU 7 on. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
    void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *),
    enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);

/* QEMU 9 no longer takes plugins of version 1, QEMU 7 none of version 2. */
#ifndef PLUGIN_VERSION
#define PLUGIN_VERSION 1
#endif
#define EXPORTED __attribute__((visibility("default")))
EXPORTED int qemu_plugin_version = PLUGIN_VERSION;

static atomic_uint_fast64_t instructions, crypto;
static char out[4096];

static int is_crypto(const struct qemu_plugin_insn *insn) {
  static const char *const names[] = { "aes", "sha1", "sha256", "sha512", "pmull" };
  char *text = qemu_plugin_insn_disas(insn);
  int found = 0;
  for (size_t i = 0; text && i < sizeof names / sizeof *names; i++)
    found |= !strncmp(text, names[i], strlen(names[i]));
  /* Those of bytes are in every ARMv8; the optional ones make 128 bits. */
  if (found && !strncmp(text, "pmull", 5))
    found = strstr(text, ".1q") != NULL;
  free(text);
  return found;
}

/* Both counts of a block are in its pointer: a block has at most 512 instructions. */
static void on_block(unsigned cpu, void *counts) {
  (void)cpu;
  atomic_fetch_add_explicit(&instructions, (uintptr_t)counts & 0xffff, memory_order_relaxed);
  if ((uintptr_t)counts >> 16)
    atomic_fetch_add_explicit(&crypto, (uintptr_t)counts >> 16, memory_order_relaxed);
}

static void on_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  uintptr_t all = qemu_plugin_tb_n_insns(block), optional = 0;
  for (size_t i = 0; i < all; i++)
    optional += is_crypto(qemu_plugin_tb_get_insn(block, i));
  qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, QEMU_PLUGIN_CB_NO_REGS,
      (void *)(all | optional << 16));
}

static void on_end(qemu_plugin_id_t id, void *data) {
  (void)id, (void)data;
  FILE *file = fopen(out, "w");
  if (!file)
    return;
  fprintf(file, "instructions %" PRIuFAST64 " crypto %" PRIuFAST64 "\n", instructions, crypto);
  fclose(file);
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  if (argc != 1 || strncmp(argv[0], "out=", 4) || strlen(argv[0] + 4) >= sizeof out)
    return 1;
  strcpy(out, argv[0] + 4);
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
  qemu_plugin_register_atexit_cb(id, on_end, NULL);
  return 0;
}
