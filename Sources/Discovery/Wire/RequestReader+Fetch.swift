import DiscoveryCore

/// fetch and fetchs: env, appid and status are required, zone is not. balance: env, appid and zone
/// are.
extension RequestReader {
    func fetch(_ batch: inout Batch) throws(Rejection) -> Fetch {
        let env = try fields.required(.env, limits)
        let appid = try fields.required(.appid, limits)
        let zone = try fields.optional(.zone, limits)
        let statuses = try statusMask()
        return Fetch(
            app: pack([env, appid], to: &batch), zone: copy(zone, to: &batch), statuses: statuses)
    }

    func balance(_ batch: inout Batch) throws(Rejection) -> Balance {
        let env = try fields.required(.env, limits)
        let appid = try fields.required(.appid, limits)
        let zone = try fields.required(.zone, limits)
        return Balance(app: pack([env, appid], to: &batch), zone: copy(zone, to: &batch))
    }

    mutating func fetchMany(_ batch: inout Batch) throws(Rejection) -> FetchMany {
        let env = try fields.required(.env, limits)
        let zone = try fields.optional(.zone, limits)
        let statuses = try statusMask()
        try readApps()
        emptyDuplicates()
        let first = batch.pollTargets.count
        for item in items where !item.isEmpty {
            batch.pollTargets.append(
                PollTarget(app: pack([env, item], to: &batch), latest: 0))
        }
        return FetchMany(
            first: first, count: batch.pollTargets.count - first, zone: copy(zone, to: &batch),
            statuses: statuses)
    }

    /// Bits: 1 up, 2 waiting. The reference takes further bits and skips them.
    private func statusMask() throws(Rejection) -> UInt8 {
        let range = fields.first(.status)
        if range.isEmpty { throw Rejection(FieldName.status.missing) }
        let value = try fields.number(.status)
        guard value > 0, value & 3 != 0 else {
            throw Rejection("status must be 1 (up), 2 (waiting) or 3 (both), got \(value)")
        }
        return UInt8(truncatingIfNeeded: value & 3)
    }

    /// The applications into `items`. Gives how many values they were sent as.
    @discardableResult
    mutating func readApps() throws(Rejection) -> Int {
        let valueCount = try fields.list(.appid, into: &items, countMax: limits.appsMax)
        if items.isEmpty { throw Rejection(FieldName.appid.missing) }
        for item in items { try fields.check(.appid, item, bytesMax: limits.keyBytesMax) }
        return valueCount
    }

    /// Empties the ranges in `items` that hold what an earlier one holds.
    mutating func emptyDuplicates() {
        Duplicates.empty(in: &items, of: fields.bytes, scratch: &order)
    }
}

/// Equal names in one request: the first counts.
private enum Duplicates {
    /// By pairs while they are few, else by sorting, so that a request made to be slow is not.
    static func empty(in items: inout [ByteRange], of bytes: [UInt8], scratch order: inout [Int]) {
        if items.count <= 16 {
            for index in items.indices.dropFirst() {
                let isKnown = items[..<index].contains { earlier in
                    !earlier.isEmpty && bytes.span.compare(earlier, items[index]) == 0
                }
                if isKnown { items[index] = .empty }
            }
            return
        }
        order.removeAll(keepingCapacity: true)
        order.append(contentsOf: items.indices)
        order.sort { left, right in
            let comparison = bytes.span.compare(items[left], items[right])
            return comparison == 0 ? left < right : comparison < 0
        }
        var kept = order[0]
        for index in order.dropFirst() {
            if bytes.span.compare(items[kept], items[index]) == 0 {
                items[index] = .empty
            } else {
                kept = index
            }
        }
    }
}

extension Span<UInt8> {
    /// Byte order of two parts of it: below, equal to or above 0.
    func compare(_ left: ByteRange, _ right: ByteRange) -> Int {
        let shared = Swift.min(Int(left.count), Int(right.count))
        let leftStart = left.bounds.lowerBound
        let rightStart = right.bounds.lowerBound
        for offset in 0..<shared {
            let (one, other) = (self[leftStart &+ offset], self[rightStart &+ offset])
            if one != other { return one < other ? -1 : 1 }
        }
        return Int(left.count) - Int(right.count)
    }
}
