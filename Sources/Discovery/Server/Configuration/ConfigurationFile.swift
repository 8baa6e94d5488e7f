import TOMLKit

/// A TOML file as a flat list of keys, without judging them.
struct ConfigurationFile: Sendable, Equatable {
    /// How the file was named; it begins every error about it.
    var path: String
    /// Every key, in the order of the tables.
    var entries: [SettingEntry] = []
    /// Every table, empty ones too.
    var tables: [String] = []

    /// A configuration of 64 zones with 64 nodes each is 100 KB.
    static let bytesMax = 1_048_576

    /// Reads and parses the file.
    init(path: String) throws(ConfigurationProblems) {
        let text: String
        do throws(TextFileError) {
            text = try TextFile.read(path, bytesMax: Self.bytesMax)
        } catch {
            throw ConfigurationProblems(
                all: [.unreadable(path: path, reason: error.description)])
        }
        try self.init(path: path, text: text)
    }

    /// Parses text as though it were the content of the file.
    init(path: String, text: String) throws(ConfigurationProblems) {
        self.path = path
        // The parser takes a C string: it would stop here and call the rest empty.
        guard !text.utf8.contains(0) else {
            throw ConfigurationProblems(
                all: [.unreadable(path: path, reason: "it holds a zero byte, so it is not text")])
        }
        if let trap = ParserTraps.find(in: text) {
            throw ConfigurationProblems(
                all: [
                    .notTOML(
                        path: path, line: trap.line, column: trap.column, reason: trap.reason)
                ])
        }
        let root: TOMLTable
        do {
            root = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            let place = error.source.begin
            throw ConfigurationProblems(
                all: [
                    .notTOML(
                        path: path, line: place.line, column: place.column,
                        reason: error.description)
                ])
        } catch {
            throw ConfigurationProblems(all: [.unreadable(path: path, reason: "\(error)")])
        }
        flatten(root)
    }

    /// Tables of tables are left whole: nothing of ours is nested that deep.
    private mutating func flatten(_ root: TOMLTable) {
        for key in root.keys {
            guard let value = root[key] else {
                // A key with a zero byte in it: TOMLKit 0.6.0 lists it cut short.
                add(table: "", key: key, value: .other("key with a zero byte"))
                continue
            }
            if let table = value.table {
                tables.append(key)
                for inner in table.keys {
                    let value = table[inner].map(SettingValue.init(toml:))
                    add(table: key, key: inner, value: value ?? .other("key with a zero byte"))
                }
            } else {
                add(table: "", key: key, value: SettingValue(toml: value))
            }
        }
    }

    private mutating func add(table: String, key: String, value: SettingValue) {
        entries.append(
            SettingEntry(
                origin: path, spelling: table.isEmpty ? key : "\(table).\(key)", table: table,
                key: key, value: value))
    }
}

extension SettingValue {
    fileprivate init(toml value: any TOMLValueConvertible) {
        switch value.type {
        case .string: self = value.string.map { .string($0) } ?? .other("string")
        case .int: self = value.int.map { .integer($0) } ?? .other("integer")
        case .bool: self = value.bool.map { .boolean($0) } ?? .other("boolean")
        case .array:
            let items = value.array.map { array in array.map { SettingValue(toml: $0) } }
            self = .list(items ?? [])
        case .table: self = .table
        case .double, .date, .time, .dateTime: self = .other(value.type.description)
        }
    }
}
