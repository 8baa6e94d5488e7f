import DiscoveryCore

/// register: zone, env, appid, hostname, addrs and status are required.
extension RequestReader {
    mutating func registration() throws(Rejection) -> Registration {
        let zone = try fields.required(.zone, limits)
        let env = try fields.required(.env, limits)
        let appid = try fields.required(.appid, limits)
        let hostname = try fields.required(.hostname, limits)
        let status = try registeredStatus()
        let content = try content()
        let dirty = try fields.version(.dirty)
        let key = InstanceKey(
            env: array(env), appid: array(appid), zone: array(zone), hostname: array(hostname))
        guard let key else { throw Rejection("the names are too long") }
        return Registration(
            key: key, content: content, status: status, origin: fields.origin, dirty: dirty)
    }

    private func registeredStatus() throws(Rejection) -> InstanceStatus {
        let range = fields.first(.status)
        if range.isEmpty { throw Rejection(FieldName.status.missing) }
        return try status(at: range)
    }

    func status(at range: ByteRange) throws(Rejection) -> InstanceStatus {
        let value = try fields.number(.status, at: range)
        guard let raw = UInt8(exactly: value), let status = InstanceStatus(rawValue: raw) else {
            throw Rejection("status must be 1 or 2, got \(value)")
        }
        return status
    }

    private mutating func content() throws(Rejection) -> InstanceContent {
        let region = fields.first(.region)
        let version = fields.first(.version)
        try fields.check(.region, region, bytesMax: limits.fieldBytesMax)
        try fields.checkLength(.version, version, bytesMax: limits.fieldBytesMax)
        let addrs = try addresses()
        var metadata = try colored()
        let text = fields.first(.metadata)
        try fields.checkLength(.metadata, text, bytesMax: limits.metadataBytesMax)
        // After `color`, so that a color in the metadata wins: of equal keys the last counts.
        switch try MetadataReader.read(fields.bytes.span.extracting(text.bounds), limits) {
        case .nothing, .null: break
        case .entries(let entries): metadata += entries
        }
        let content = InstanceContent(
            region: array(region), version: array(version), addrs: addrs, metadata: metadata)
        guard let content else { throw Rejection("the instance is too large") }
        return content
    }

    /// Nodes of the reference relay them joined by commas, clients send them either way.
    private mutating func addresses() throws(Rejection) -> [[UInt8]] {
        try fields.list(.addrs, into: &items, countMax: limits.addrsMax)
        if items.isEmpty { throw Rejection(FieldName.addrs.missing) }
        var addrs: [[UInt8]] = []
        addrs.reserveCapacity(items.count)
        for item in items {
            try fields.checkLength(.addrs, item, bytesMax: limits.fieldBytesMax)
            addrs.append(array(item))
        }
        return addrs
    }

    /// Old clients send `color` beside the metadata.
    func colored() throws(Rejection) -> [InstanceContent.Entry] {
        let color = fields.first(.color)
        if color.isEmpty { return [] }
        try fields.checkLength(.color, color, bytesMax: limits.fieldBytesMax)
        return [InstanceContent.Entry(key: Array("color".utf8), value: array(color))]
    }
}
