# Writes the commands of a document into files of `folder`, in their order: the blocks of ```sh, and
# what stands after a `$` in blocks that show what a command says. Blocks of ```sh hardware-only need
# what no emulated board has.
/^```/ {
  fenced = !fenced
  kind = fenced ? $0 : ""
  if (kind == "```sh") file = sprintf("%s/%02d", folder, ++blocks)
  next
}
kind == "```sh" { print > file }
kind == "```" && sub(/^\$ /, "") { print > sprintf("%s/%02d", folder, ++blocks) }
