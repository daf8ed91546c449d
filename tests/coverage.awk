# Reads coverage in the lcov format and prints, for each file of some rooms, how many lines of the
# product the tests run, and which they do not. Unit tests, at the end of a file, are not counted.
#
# -v source=/repository/src/ -v rooms="a b c" -v judged="a b" -v min=95: `judged` rooms fail below
# `min` percent.

function ends_at(path,   line, number, end, previous) {
    while ((getline line < path) > 0) {
        number++
        if (previous == "#[cfg(test)]" && line ~ /^mod tests/) { end = number; break }
        previous = line
    }
    close(path)
    return end ? end : number + 1
}

function percent(run, all) { return all ? 100 * run / all : 100 }

BEGIN {
    count = split(rooms, names)
    for (i = 1; i <= count; i++) is_room[names[i]] = 1
    judges = split(judged, wanted)
}

/^SF:/ {
    path = substr($0, 4)
    is_ours = index(path, source) == 1
    file = substr(path, length(source) + 1)
    room = file
    sub(/(\/|\.rs).*/, "", room)
    is_ours = is_ours && (room in is_room) && file !~ /tests\.rs$/
    if (is_ours) { end = ends_at(path); files[++total] = file }
}

/^DA:/ && is_ours {
    split(substr($0, 4), line, ",")
    if (line[1] + 0 >= end) next
    all[file]++; room_all[room]++
    if (line[2] > 0) { run[file]++; room_run[room]++; last = 0; next }
    # Lines that follow each other are one range, whatever lies between them without code.
    if (!last || missed[file] == "") missed[file] = missed[file] " " line[1]
    else { sub(/-[0-9]+$/, "", missed[file]); missed[file] = missed[file] "-" line[1] }
    last = 1
}

END {
    printf "%-32s %6s %6s %7s  %s\n", "file", "lines", "run", "%", "not run"
    for (i = 1; i <= total; i++) {
        file = files[i]
        printf "%-32s %6d %6d %7.1f %s\n", file, all[file], run[file], percent(run[file], all[file]), missed[file]
    }
    for (i = 1; i <= count; i++) {
        room = names[i]
        printf "%-32s %6d %6d %7.1f\n", room, room_all[room], room_run[room], percent(room_run[room], room_all[room])
    }
    for (i = 1; i <= judges; i++) {
        room = wanted[i]
        if (!room_all[room] || percent(room_run[room], room_all[room]) < min) {
            print room " is below " min " %"
            failed = 1
        }
    }
    exit failed
}
