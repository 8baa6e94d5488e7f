import DiscoveryCore

/// A write while its node takes it.
struct Writing {
    let number: Int
    let kind: SourceWrite.Kind
    let key: InstanceKey
    /// What the node held before.
    let before: Instance?
    let wall: Int64
    let host: Host
    let peers: [PeerReport]
    let holders: [Int]
}

/// What clients wrote, and what they were promised.
extension World {
    /// The node has taken the write and was looked at.
    func written(_ after: Instance?) {
        guard let writing else { return }
        self.writing = nil
        let version: Int64
        let signature: UInt64
        switch writing.kind {
        case .register, .set:
            guard let after, after.dirty != writing.before?.dirty else {
                // Refused, or held by other nodes only: they give it the version it carries.
                if writing.kind == .set { oracle.doubt(writing.key) }
                return add(writing, version: .min, signature: 0)
            }
            version = after.dirty
            signature = Names.signature(after.content, after.status)
        case .cancel:
            guard let before = writing.before, after == nil else {
                return add(writing, version: .min, signature: 0)
            }
            version = max(writing.wall, before.dirty + 1)
            signature = 0
        }
        add(writing, version: version, signature: signature)
    }

    private func add(_ writing: Writing, version: Int64, signature: UInt64) {
        let write = SourceWrite(
            number: writing.number, kind: writing.kind, key: writing.key, version: version,
            signature: signature, host: writing.host.index, incarnation: writing.host.incarnation,
            time: now, healthy: writing.peers.filter(\.isHealthy), holders: writing.holders)
        oracle.add(write)
        trace.fold(version)
        trace.add(
            now, writing.host.name, "wrote",
            "\(writing.kind) \(Names.text(writing.key)) "
                + (version == .min ? "to no effect" : Trace.version(version)))
        guard version != .min else { return }
        lastChange = now
        see(.wrote(write))
    }

    func acknowledge(_ number: Int, _ request: PendingRequest, _ host: Host) {
        guard oracle.writes[number].version != .min else { return }
        let key = oracle.writes[number].key
        let version = oracle.writes[number].version
        var witnesses: [(host: Int, incarnation: Int)] = []
        for other in hosts where other !== host && other.own != nil && other.zone == host.zone {
            let held = instance(key, on: other)
            let isCancel = oracle.writes[number].kind == .cancel
            let holds =
                isCancel
                ? held == nil && oracle.writes[number].holders.contains(other.index)
                : (held?.dirty ?? .min) >= version
            if holds { witnesses.append((other.index, other.incarnation)) }
        }
        oracle.change(number) {
            $0.isAcknowledged = true
            $0.witnesses = witnesses
        }
        let elapsed = host.clock.moment(at: now).monotonic - request.monotonic
        see(.acknowledged(oracle.writes[number], elapsed: elapsed))
    }
}
