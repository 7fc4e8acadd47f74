import CMaxMindDB
import Glibc

/// What a MaxMind DB file says of countries, checked.
struct MaxMindTree {
    /// As ``CountryTable`` keeps them.
    var nodes: [Int32] = []
    /// The first is ``CountryTable/unknown``.
    var countries: [UInt16] = [CountryTable.unknown]
    var isIPv6 = false
    var builtAtSeconds: UInt64 = 0
}

/// Reads a file by libmaxminddb. Everything that it may be wrong about is refused or bounded here.
enum MaxMindFile {
    /// A node has at least 6 bytes.
    private static let nodesMax = CountryTable.fileBytesMax / 6

    static func read(_ path: String) throws(GeoIPError) -> MaxMindTree {
        let copy = try memoryCopy(of: path)
        defer { close(copy) }
        let database = UnsafeMutablePointer<MMDB_s>.allocate(capacity: 1)
        defer { database.deallocate() }
        let status = MMDB_open("/proc/self/fd/\(copy)", UInt32(MMDB_MODE_MMAP), database)
        guard status == MMDB_SUCCESS else { throw corrupt(status) }
        defer { MMDB_close(database) }
        return try tree(of: database)
    }

    // MARK: A copy that nobody can change

    private static func memoryCopy(of path: String) throws(GeoIPError) -> Int32 {
        let source = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard source >= 0 else { throw .system("open", code: errno) }
        defer { close(source) }
        let copy = cmaxminddb_memory_file()
        guard copy >= 0 else { throw .system("memfd_create", code: errno) }
        if let error = fill(copy, from: source) {
            close(copy)
            throw error
        }
        return copy
    }

    private static func fill(_ copy: Int32, from source: Int32) -> GeoIPError? {
        var status = stat()
        guard fstat(source, &status) == 0 else { return .system("fstat", code: errno) }
        // A pipe would be waited for, a device has no end.
        guard status.st_mode & S_IFMT == S_IFREG else { return .corrupt("it is no file") }
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { chunk.deallocate() }
        var total = 0
        while true {
            let count = Glibc.read(source, chunk.baseAddress, chunk.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                return .system("read", code: errno)
            }
            total += count
            guard total <= CountryTable.fileBytesMax else { return .tooLarge(bytes: total) }
            var written = 0
            while written < count {
                let part = write(copy, chunk.baseAddress! + written, count - written)
                guard part > 0 else { return .system("write", code: errno) }
                written += part
            }
        }
        guard total > 0 else { return .corrupt("it is empty") }
        return cmaxminddb_seal(copy) == 0 ? nil : .system("F_ADD_SEALS", code: errno)
    }

    // MARK: Its tree

    private static func tree(
        of database: UnsafeMutablePointer<MMDB_s>
    ) throws(GeoIPError) -> MaxMindTree {
        let metadata = database.pointee.metadata
        let nodeCount = Int(metadata.node_count)
        guard 1...nodesMax ~= nodeCount, [4, 6].contains(metadata.ip_version) else {
            throw .corrupt("impossible metadata")
        }
        var tree = MaxMindTree()
        tree.isIPv6 = metadata.ip_version == 6
        tree.builtAtSeconds = metadata.build_epoch
        var indices: [UInt32: Int32] = [:]
        var known: [UInt16: Int32] = [CountryTable.unknown: -1]
        let deadline = seconds() + CountryTable.loadSecondsMax
        for number in 0..<nodeCount {
            if number & 0xFFF == 0, seconds() > deadline { throw .tooSlow }
            var node = MMDB_search_node_s()
            let status = MMDB_read_node(database, UInt32(number), &node)
            guard status == MMDB_SUCCESS else { throw corrupt(status) }
            let records = [
                (node.left_record, node.left_record_type, node.left_record_entry),
                (node.right_record, node.right_record_type, node.right_record_entry),
            ]
            for (record, type, entry) in records {
                switch Int32(type) {
                case MMDB_RECORD_TYPE_SEARCH_NODE where record < nodeCount:
                    tree.nodes.append(Int32(record))
                case MMDB_RECORD_TYPE_EMPTY: tree.nodes.append(-1)
                case MMDB_RECORD_TYPE_DATA:
                    if let index = indices[entry.offset] {
                        tree.nodes.append(index)
                        continue
                    }
                    if indices.count & 0xFF == 0, seconds() > deadline { throw .tooSlow }
                    let country = try country(of: entry)
                    let index = known[country] ?? -Int32(tree.countries.count) - 1
                    if known.updateValue(index, forKey: country) == nil {
                        tree.countries.append(country)
                    }
                    indices[entry.offset] = index
                    tree.nodes.append(index)
                default: throw .corrupt("a record leads nowhere")
                }
            }
        }
        return tree
    }

    /// Where an address is, else where it is registered.
    private static func country(of entry: MMDB_entry_s) throws(GeoIPError) -> UInt16 {
        for map in ["country", "registered_country"] as [StaticString] {
            if let country = try code(in: map, of: entry) { return country }
        }
        return CountryTable.unknown
    }

    private static func code(
        in map: StaticString, of entry: MMDB_entry_s
    ) throws(GeoIPError) -> UInt16? {
        var entry = entry
        var data = MMDB_entry_data_s()
        let key: StaticString = "iso_code"
        let path: [UnsafePointer<CChar>?] = [
            UnsafeRawPointer(map.utf8Start).assumingMemoryBound(to: CChar.self),
            UnsafeRawPointer(key.utf8Start).assumingMemoryBound(to: CChar.self), nil,
        ]
        let status = MMDB_aget_value(&entry, &data, path)
        if status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR { return nil }
        guard status == MMDB_SUCCESS else { throw corrupt(status) }
        guard data.has_data, data.type == MMDB_DATA_TYPE_UTF8_STRING, data.data_size == 2,
            let text = data.utf8_string
        else { return nil }
        let letters = (UInt8(bitPattern: text[0]), UInt8(bitPattern: text[1]))
        let capitals = UInt8(ascii: "A")...UInt8(ascii: "Z")
        guard capitals ~= letters.0, capitals ~= letters.1 else { return nil }
        return UInt16(letters.0) << 8 | UInt16(letters.1)
    }

    private static func seconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }

    private static func corrupt(_ status: Int32) -> GeoIPError {
        .corrupt(String(cString: MMDB_strerror(status)))
    }
}
