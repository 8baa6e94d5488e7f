import DiscoveryCore

/// An acknowledged write is on the healthy nodes of the zone, or the wait for them ran out; and in
/// the end every instance is what the newest write that can have survived made of it.
final class AckChecker: Checker {
    let name = "acknowledgements"

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .started(let host):
            started[host.index] = world.now
            return nil
        case .received(let host, _, let request):
            lay(request, host, world)
            return nil
        case .replied(let host, let call, let reply):
            // Nonsense, too, ends the wait for a node.
            if reply.node == nil, let peer = world.host(at: call.address), !peer.isGo {
                failed[Road(from: host.index, to: peer.index)] = world.now
            }
            return nil
        case .noted(let host, .evicted(let key, _)):
            evicted[Place(host: host.index, key: key)] = world.now
            return nil
        case .acknowledged(let write, let elapsed): return promised(write, elapsed, world)
        case .mustHaveConverged: return survived(world)
        default: return nil
        }
    }

    private func promised(_ write: SourceWrite, _ elapsed: Int64, _ world: World) -> String? {
        let host = world.hosts[write.host]
        // A node that leaves waits for nobody before it answers, but before it ends.
        guard let own = host.own, own.settings.cluster.acknowledgementWait > elapsed,
            !host.isStopping
        else { return nil }
        let reports = own.node.peerReports(at: host.clock.moment(at: world.now))
        for before in write.healthy {
            guard let now = reports.first(where: { $0.address == before.address }), now.isHealthy,
                let peer = world.host(at: before.address), peer !== host, peer.own != nil,
                peer.zone == host.zone
            else { continue }
            // More waited for it than an outbox holds: that is found by a comparison, for which
            // nobody waits.
            if now.overflows != before.overflows { continue }
            if write.witnesses.contains(where: { $0.host == peer.index }) { continue }
            // It may have been lost meanwhile, and found again.
            let failure = failed[Road(from: host.index, to: peer.index)] ?? .min
            if failure >= write.time { continue }
            // It may have been dead for long when it was changed.
            let eviction = evicted[Place(host: peer.index, key: write.key)] ?? .min
            if eviction >= write.time { continue }
            // What is newer there has taken its place; what was there may have started anew.
            let held = world.instance(write.key, on: peer)
            if let held, held.dirty >= write.version { continue }
            // It may know of the cancel without having known the instance; and cancels of the
            // reference's nodes, which have no version, take out whatever there is.
            if held == nil, write.kind == .cancel || !world.options.goNodes.isEmpty { continue }
            // Or of a later word, by a clock that is ahead: then this one does not count. Nor need
            // it if another one got the same version, in the same nanosecond of two nodes.
            let writes = world.oracle.writes(of: write.key)
            if writes.contains(where: {
                $0.version > write.version
                    || ($0.version == write.version && $0.number != write.number)
            }) {
                continue
            }
            if started[peer.index] ?? 0 >= write.time - Duration.second { continue }
            return "\(host.name) acknowledged \(write.kind) of \(Names.text(write.key)) "
                + "\(Trace.version(write.version)) after \(Trace.text(elapsed)) s, and healthy "
                + "\(peer.name) does not have it"
        }
        return nil
    }

    private struct Place: Hashable {
        let host: Int
        let key: InstanceKey
    }

    private struct Road: Hashable {
        let from: Int
        let to: Int
    }

    /// When a call from one host to another failed last.
    private var failed: [Road: Int64] = [:]
    private var started: [Int: Int64] = [:]
    /// When a host found an instance to be dead last, and forgot what it knew of it.
    private var evicted: [Place: Int64] = [:]

    private struct Version: Hashable {
        let key: InstanceKey
        let version: Int64
    }

    /// What sets in the reference's protocol made of what they found at nodes of ours.
    private var laid: [Version: Set<UInt64>] = [:]

    /// A node that takes another one of ours for one of the reference's kind, because something in
    /// between answered a probe, tells it a set as the change it was: a version without a content.
    /// The receiver lays it over what it holds, which may be newer than what the writer held. Then
    /// two contents have that version; which of them stays is settled by their bytes, the same way
    /// everywhere.
    private func lay(_ request: PendingRequest, _ host: Host, _ world: World) {
        guard case .peer(.set(let changes, let version, _)) = request.request, version > 0,
            case .host(let sender, _, _) = request.sender, !world.hosts[sender].isGo
        else { return }
        for change in changes {
            guard let held = world.instance(change.key, on: host), held.dirty <= version,
                let content = change.metadata.laid(over: held.content)
            else { continue }
            laid[Version(key: change.key, version: version), default: []].insert(
                Names.signature(content, change.status ?? held.status))
        }
    }

    private func isLaid(_ write: SourceWrite, _ signature: UInt64) -> Bool {
        write.kind == .set
            && laid[Version(key: write.key, version: write.version)]?.contains(signature) == true
    }

    private func survived(_ world: World) -> String? {
        // Nodes of the reference's kind lose writes, and versions with them.
        guard world.options.goNodes.isEmpty else { return nil }
        for provider in world.providers where !world.oracle.uncertain.contains(provider.key) {
            let writes = world.oracle.writes(of: provider.key).filter { $0.version != .min }
            guard !writes.isEmpty else { continue }
            var allowed: [SourceWrite] = []
            var safe: Int64?
            for write in writes.sorted(by: { $0.version > $1.version }) {
                // Of two that got the same version in the same moment either may have won.
                if let safe, write.version < safe { break }
                allowed.append(write)
                if isSafe(write, world) { safe = write.version }
            }
            for host in world.hosts where host.own != nil {
                let held = world.instance(provider.key, on: host)
                if let what = judge(held, allowed, isSafe: safe != nil, provider, host) {
                    return what
                }
            }
        }
        return nil
    }

    /// Whether a process that had it is still running and has not had to let go of it.
    private func isSafe(_ write: SourceWrite, _ world: World) -> Bool {
        let holders = [(host: write.host, incarnation: write.incarnation)] + write.witnesses
        return holders.contains { holder in
            let host = world.hosts[holder.host]
            let lost = evicted[Place(host: holder.host, key: write.key)] ?? .min
            return host.isRunning && host.incarnation == holder.incarnation && lost < write.time
        }
    }

    private func judge(
        _ held: Instance?, _ allowed: [SourceWrite], isSafe: Bool, _ provider: Provider,
        _ host: Host
    ) -> String? {
        let last = allowed.map {
            "\($0.kind) \(Trace.version($0.version)) at n\($0.host).\($0.incarnation)"
        }.joined(separator: " or ")
        let text = "\(host.name), \(Names.text(provider.key)), last written: \(last)"
        guard let held else {
            // One that renews has to be there, unless its good-bye was the last word, or all that
            // knew of it are gone and it has not found out yet.
            let isExpected =
                isSafe && provider.state == .alive && allowed.allSatisfy { $0.kind != .cancel }
            return isExpected ? "lost a live instance: \(text)" : nil
        }
        let signature = Names.signature(held.content, held.status)
        let fits = allowed.contains {
            $0.kind != .cancel && $0.version == held.dirty
                && ($0.signature == signature || isLaid($0, signature))
        }
        return fits ? nil : "holds \(Trace.version(held.dirty)): \(text)"
    }
}
