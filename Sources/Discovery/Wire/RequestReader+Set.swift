import DiscoveryCore

/// set: zone, env, appid and at least one hostname are required. Status and metadata are lists that
/// are either not given or as long as the hostnames.
extension RequestReader {
    mutating func setting() throws(Rejection) -> Setting {
        let zone = array(try fields.required(.zone, limits))
        let env = array(try fields.required(.env, limits))
        let appid = array(try fields.required(.appid, limits))
        let dirty = try fields.version(.setTimestamp)
        let hosts = try hostnames()
        let statuses = try statuses(hosts.count)
        let metadata = try metadata(hosts.count)
        var changes: [Setting.Change] = []
        changes.reserveCapacity(hosts.count)
        for (index, host) in hosts.enumerated() {
            let key = InstanceKey(env: env, appid: appid, zone: zone, hostname: array(host))
            guard let key else { throw Rejection("the names are too long") }
            changes.append(
                Setting.Change(
                    key: key, status: statuses.isEmpty ? nil : statuses[index],
                    metadata: metadata.isEmpty ? .unchanged : metadata[index]))
        }
        return Setting(changes: changes, origin: fields.origin, dirty: dirty)
    }

    private mutating func hostnames() throws(Rejection) -> [ByteRange] {
        try fields.list(.hostname, into: &items, countMax: limits.hostsMax)
        if items.isEmpty { throw Rejection(FieldName.hostname.missing) }
        for item in items { try fields.check(.hostname, item, bytesMax: limits.keyBytesMax) }
        return items
    }

    private mutating func statuses(_ hostCount: Int) throws(Rejection) -> [InstanceStatus] {
        try fields.list(.status, into: &items, countMax: limits.hostsMax)
        try checkCount(.status, items.count, hostCount)
        var statuses: [InstanceStatus] = []
        for item in items { statuses.append(try status(at: item)) }
        return statuses
    }

    /// Never split at commas, and an empty value holds the place of a host that stays as it is.
    private func metadata(_ hostCount: Int) throws(Rejection) -> [Setting.Metadata] {
        let color = try colored()
        let given = fields.pairs.filter { $0.name == .metadata }
        if given.allSatisfy({ $0.value.isEmpty }) {
            return color.isEmpty ? [] : Array(repeating: .merged(color), count: hostCount)
        }
        try checkCount(.metadata, given.count, hostCount)
        var metadata: [Setting.Metadata] = []
        for pair in given {
            try fields.checkLength(.metadata, pair.value, bytesMax: limits.metadataBytesMax)
            let text = fields.bytes.span.extracting(pair.value.bounds)
            switch try MetadataReader.read(text, limits) {
            case .nothing: metadata.append(color.isEmpty ? .unchanged : .merged(color))
            case .null: metadata.append(.cleared)
            case .entries(let entries): metadata.append(.merged(color + entries))
            }
        }
        return metadata
    }

    private func checkCount(
        _ name: FieldName, _ count: Int, _ hostCount: Int
    ) throws(Rejection) {
        guard count == 0 || count == hostCount else {
            throw Rejection(
                "\(name.text) must be given once per hostname: got \(count) for \(hostCount)")
        }
    }
}
