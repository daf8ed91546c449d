# Writes the blocks of shell commands of a document into files of `folder`, in their order. Those of
# ```sh hardware-only need what no emulated board has, and are left out.
/^```/ {
  if (fenced) inside = 0; else inside = ($0 == "```sh")
  fenced = !fenced
  if (inside) file = sprintf("%s/%02d", folder, ++blocks)
  next
}
inside { print > file }
