import DiscoveryCore

/// Looking into a node: by what clients ask, and while it refuses them by what other nodes ask.
extension World {
    /// Answers to the checkers carry numbers from here on.
    static let peekFirst: UInt64 = 1 << 63

    func look(at apps: [AppKey], zone: String = "", statuses: UInt8 = 3, on host: Host) -> [Look] {
        guard host.own != nil else { return [] }
        var batch = Batch()
        let first = batch.pollTargets.count
        for app in apps {
            let range = Delivery.append(app.packed, to: &batch)
            batch.pollTargets.append(PollTarget(app: range, latest: 0))
        }
        let zoneRange = Delivery.append(Array(zone.utf8), to: &batch)
        batch.inputs.append(
            .fetchedMany(
                peekID,
                FetchMany(first: first, count: apps.count, zone: zoneRange, statuses: statuses)))
        if case .fetchedMany(let views)? = peek(host, batch) { return views.map(Look.init) }
        let pages = pull(host)
        return apps.compactMap { Look(of: $0, in: pages, zone: zone, statuses: statuses) }
    }

    /// As a node that starts pulls it.
    private func pull(_ host: Host) -> [Page] {
        var pages: [Page] = []
        var next: UInt32? = 0
        while let leaf = next {
            var batch = Batch()
            batch.inputs.append(.exchanged(peekID, .pull(leaf: leaf)))
            guard case .exchanged(.page(let page))? = peek(host, batch) else { break }
            pages.append(page)
            next = page.next
        }
        return pages
    }

    private func peek(_ host: Host, _ batch: borrowing Batch) -> Answer? {
        let outer = writing
        writing = nil
        step(host, batch)
        writing = outer
        return peeked.popLast()
    }

    private var peekID: RequestID { RequestID(World.peekFirst + UInt64(stepCount)) }

    func instance(_ key: InstanceKey, on host: Host) -> Instance? {
        let app = AppKey(packed: Array(key.packed[key.application.range]))
        return look(at: [app], on: host).lazy.flatMap(\.instances).first { $0.key == key }
    }

    /// A renewal of a version that is older than any: a node that holds the instance tells what it
    /// holds, and nothing else comes of it. It does so while it refuses reads, too.
    func appendLook(at key: InstanceKey, to batch: inout Batch) {
        var changes = Changes(isSameZone: true)
        changes.bytes = key.packed
        changes.renewals = [
            Changes.Renewed(
                key: ByteRange(start: 0, count: key.packed.count), version: .min, silence: 0)
        ]
        batch.inputs.append(.exchanged(peekID, .changes(changes)))
    }

    /// What such a look has shown; nil if the answer is one to something else.
    static func instance(shownBy answer: Answer) -> Instance?? {
        guard case .exchanged(.changes(_, let newer)) = answer else { return nil }
        return .some(newer.first.flatMap(Look.instance))
    }
}
