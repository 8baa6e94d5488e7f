/// One key with its value, and who said it.
struct SettingEntry: Sendable, Equatable {
    /// The path of the file, "the command line" or "the environment".
    var origin: String
    /// How it is spelled there: `registry.lease_seconds`, `--zone`, `ZONE`.
    var spelling: String
    /// The table it stands in; empty at the top of the file.
    var table: String
    var key: String
    var value: SettingValue

    /// The key with its table, as documented.
    var path: String { table.isEmpty ? key : "\(table).\(key)" }
}

/// A key with the value in effect, as TOML would spell it.
struct EffectiveSetting: Sendable, Equatable, CustomStringConvertible {
    var key: String
    var value: String

    var description: String { "\(key) = \(value)" }
}

/// Hands out values by key, and remembers what was asked, what was wrong and what came out.
///
/// A question never fails: a bad value is noted as a problem and answered with the default, so
/// that one run finds every mistake. Keys are compared without regard to letter case, as the
/// reference's reader does.
struct SettingReader {
    /// The origin of settings that nobody gave.
    static let builtIn = "the built-in defaults"

    private(set) var problems: [ConfigurationError] = []
    /// Keys in the order of the first question about them.
    private(set) var knownKeys: [String] = []
    private(set) var ignoredKeys: [String] = []
    private(set) var effective: [EffectiveSetting] = []
    /// Where a missing setting would have had to be.
    private let origin: String
    /// By `path` in lower case.
    private var entries: [String: SettingEntry] = [:]
    /// The keys of `entries` in the order they came.
    private var order: [String] = []
    /// Table names as written, by lower case.
    private var tables: [String: String] = [:]
    /// Paths of `entries` that somebody asked for.
    private var asked: Set<String> = []
    /// Tables whose keys are free: `zones`.
    private var freeTables: Set<String> = []

    init(origin: String) {
        self.origin = origin
    }
}

// MARK: Layers

extension SettingReader {
    /// Adds a key of the file. The same key twice is a problem.
    mutating func add(_ entry: SettingEntry) {
        let path = entry.path.lowercased()
        if let other = entries[path] {
            problems.append(
                .repeatedKey(
                    origin: entry.origin, key: entry.spelling, other: other.spelling))
            return
        }
        entries[path] = entry
        order.append(path)
    }

    /// Adds a table of the file by its name; its keys are added one by one.
    mutating func add(table: String) {
        if let other = tables[table.lowercased()] {
            problems.append(.repeatedKey(origin: origin, key: table, other: other))
        }
        tables[table.lowercased()] = table
    }

    /// A flag: replaces what the file says.
    mutating func override(with entry: SettingEntry) {
        let path = entry.path.lowercased()
        if entries.updateValue(entry, forKey: path) == nil { order.append(path) }
    }

    /// An environment variable: counts where nothing or an empty string was given.
    mutating func fillGap(with entry: SettingEntry) {
        switch entries[entry.path.lowercased()]?.value {
        case nil, .string(""), .list([]): override(with: entry)
        case .string, .integer, .boolean, .list, .table, .other: return
        }
    }
}

// MARK: Answers

extension SettingReader {
    /// A table of lists of addresses, ordered by name.
    mutating func zones(_ table: String, zonesMax: Int, nodesMax: Int) -> [RemoteZone] {
        freeTables.insert(table)
        knownKeys.append(table)
        var zones: [RemoteZone] = []
        for path in order {
            guard let entry = entries[path], entry.table.lowercased() == table else { continue }
            asked.insert(path)
            guard !entry.key.isEmpty, Self.isName(entry.key) else {
                reject(entry, found: "\"\(entry.key)\"", allowed: Rule.name)
                continue
            }
            guard let nodes = Self.endpoints(entry.value, countMax: nodesMax) else {
                let count = Rule.count(nodesMax, of: "of them")
                reject(
                    entry, found: entry.value.description, allowed: "\(Rule.addresses), \(count)")
                continue
            }
            zones.append(RemoteZone(name: entry.key, nodes: nodes))
        }
        if zones.count > zonesMax {
            reject(table, found: "\(zones.count)", allowed: Rule.count(zonesMax, of: "zones"))
        }
        zones.sort { $0.name < $1.name }
        for zone in zones {
            note("\(table).\(SettingValue.quoted(zone.name))", Self.text(zone.nodes))
        }
        return zones
    }

    /// Accepts a key of the reference that means nothing here, whatever its value.
    mutating func ignore(_ key: String) {
        let path = key.lowercased()
        asked.insert(path)
        freeTables.insert(path)
        if let entry = entries[path] { ignoredKeys.append(entry.spelling) }
    }

    /// The value of a key, or the default when there is none or `read` refuses it.
    mutating func ask<Value>(
        _ key: String, default standard: Value, allowed: String,
        reading read: (SettingValue) -> Value?
    ) -> Value {
        let path = key.lowercased()
        knownKeys.append(key)
        asked.insert(path)
        guard let entry = entries[path] else { return standard }
        guard let value = read(entry.value) else {
            reject(entry, found: entry.value.description, allowed: allowed)
            return standard
        }
        return value
    }
}

// MARK: Findings

extension SettingReader {
    /// Notes the value in effect; a later note about the same key replaces it.
    mutating func note(_ key: String, _ value: String) {
        let setting = EffectiveSetting(key: key, value: value)
        if let index = effective.lastIndex(where: { $0.key == key }) {
            effective[index] = setting
        } else {
            effective.append(setting)
        }
    }

    /// Notes a problem with a key, wherever its value came from.
    mutating func reject(_ key: String, found: String, allowed: String) {
        if let entry = entries[key.lowercased()] {
            reject(entry, found: found, allowed: allowed)
        } else {
            problems.append(.invalid(origin: origin, key: key, found: found, allowed: allowed))
        }
    }

    private mutating func reject(_ entry: SettingEntry, found: String, allowed: String) {
        problems.append(
            .invalid(
                origin: entry.origin, key: entry.spelling, found: found, allowed: allowed))
    }

    /// Notes every key and table that no question was about. To be called last.
    mutating func rejectUnknown() {
        let knownTables = knownKeys.compactMap { key in
            key.firstIndex(of: ".").map { String(key[..<$0]) }
        }
        let tableNames = Set(knownTables.map { $0.lowercased() }).union(freeTables)
        for (path, table) in tables.sorted(by: { $0.key < $1.key })
        where !tableNames.contains(path) {
            let nearest = Spelling.nearest(to: table, among: knownTables + Array(freeTables))
            problems.append(
                .unknownKey(
                    origin: origin, key: "[\(table)]", nearest: nearest.map { "[\($0)]" }))
        }
        for path in order where !asked.contains(path) {
            guard let entry = entries[path] else { continue }
            if entry.table.isEmpty, tableNames.contains(path) {
                reject(entry, found: entry.value.description, allowed: Rule.table)
            } else if entry.table.isEmpty || tableNames.contains(entry.table.lowercased()) {
                let nearest = Spelling.nearest(to: entry.spelling, among: knownKeys)
                problems.append(
                    .unknownKey(origin: entry.origin, key: entry.spelling, nearest: nearest))
            }
        }
    }
}
