# From lines "row|title|bases|server|round|name=value ..." to one Markdown table a row. Medians over
# rounds; ratios are taken within each round, where both ran side by side, and then their median.

function sort_numbers(list, count,    i, j, held) {
    for (i = 2; i <= count; i++) {
        held = list[i]
        for (j = i - 1; j >= 1 && list[j] > held; j--) list[j + 1] = list[j]
        list[j + 1] = held
    }
}

function median(list, count) {
    sort_numbers(list, count)
    return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2
}

# The median of one field, which leaves the least and the most in `least` and `most`.
function median_of(row, server, field,    list, count, i) {
    count = 0
    for (i = 1; i <= rounds; i++)
        if ((row, server, i, field) in value) list[++count] = value[row, server, i, field] + 0
    if (count == 0) return -1
    result = median(list, count)
    least = list[1]
    most = list[count]
    return result
}

function ratio_of(row, server, base,    list, count, i) {
    count = 0
    for (i = 1; i <= rounds; i++)
        if ((row, server, i, "cpu_us") in value && (row, base, i, "cpu_us") in value)
            list[++count] = value[row, server, i, "cpu_us"] / value[row, base, i, "cpu_us"]
    return count == 0 ? "–" : sprintf("%.2f", median(list, count))
}

function whole(number) {
    return number >= 1000 ? whole(int(number / 1000)) sprintf(",%03d", int(number) % 1000) \
                          : sprintf("%d", number)
}

function micros(number) {
    return number >= 1000 ? sprintf("%.1f ms", number / 1000) : sprintf("%.0f µs", number)
}

function describe(row, server,    busy, others, text) {
    busy = median_of(row, server, "busy")
    others = median_of(row, server, "others")
    text = sprintf("%.0f %%, %s", busy * 100, busy > 0.85 ? "saturated" : "light")
    return others > 0.1 ? text sprintf(", **%.0f %% others**", others * 100) : text
}

BEGIN { FS = "|" }

{
    if (!($1 in title)) {
        order[++rows] = $1
        title[$1] = $2
        split($3, parts, " ")
        base[$1, 1] = parts[1]
        base[$1, 2] = parts[2]
    }
    if (!(($1, $4) in seen)) {
        seen[$1, $4] = 1
        servers[$1] = servers[$1] (servers[$1] == "" ? "" : " ") $4
    }
    if ($5 > rounds) rounds = $5
    count = split($6, fields, " ")
    for (i = 1; i <= count; i++) {
        split(fields[i], pair, "=")
        value[$1, $4, $5, pair[1]] = pair[2]
    }
}

END {
    for (r = 1; r <= rows; r++) {
        row = order[r]
        printf "\n**%s**\n\n", title[row]
        printf "| server | CPU µs/request | (spread) | ÷ %s | ÷ %s |", base[row, 1], base[row, 2]
        printf " requests/s | p50 | p99 | p99.9 | RSS MB | of it files | answer bytes |"
        printf " server's cores |\n|---|" "--:|:-:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n"
        count = split(servers[row], names, " ")
        for (s = 1; s <= count; s++) {
            name = names[s]
            cpu = median_of(row, name, "cpu_us")
            printf "| %s | %.2f | %.2f–%.2f |", name, cpu, least, most
            printf " %s |", ratio_of(row, name, base[row, 1])
            printf " %s |", ratio_of(row, name, base[row, 2])
            printf " %s |", whole(median_of(row, name, "rate"))
            printf " %s |", micros(median_of(row, name, "p50_us"))
            printf " %s |", micros(median_of(row, name, "p99_us"))
            printf " %s |", micros(median_of(row, name, "p999_us"))
            printf " %.0f |", median_of(row, name, "rss_kb") / 1024
            printf " %.0f |", median_of(row, name, "pss_file_kb") / 1024
            printf " %.0f |", median_of(row, name, "answer_bytes")
            printf " %s |\n", describe(row, name)
            beside = median_of(row, name, "beside_us")
            if (beside > 0)
                printf "| %s's databases | %.2f | %.2f–%.2f | | | | | | | | | | |\n", name, \
                    beside, least, most
        }
    }
}
