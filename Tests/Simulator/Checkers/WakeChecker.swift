import DiscoveryCore

/// A waiting poll is told of a change at once, and before its time of nothing else; whom a node
/// keeps waiting is somebody who waits.
final class WakeChecker: Checker {
    let name = "wake-ups"

    private struct Place: Hashable {
        let host: Int
        let incarnation: Int
        let key: InstanceKey
    }

    private struct Topic: Hashable {
        let host: Int
        let app: AppKey
    }

    /// Of what a node holds, its content and status.
    private var contents: [Place: UInt64] = [:]
    /// When the content of an application changed last, and in which step of the world: a node that
    /// goes on after a pause takes many requests at one time.
    private var changes: [Topic: (time: Int64, step: Int)] = [:]

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .noted(let host, let note): noted(note, host, world)
        case .answered(let host, _, let request, .polledMany):
            return woken(request, host, world)
        case .answered(let host, _, let request, .notModified):
            return early(request, host, world)
        case .scheduled(let host, let app):
            changes[Topic(host: host.index, app: app)] = (world.now, world.stepCount)
        case .ended: return leftBehind(world)
        default: break
        }
        return nil
    }

    private func noted(_ note: Note, _ host: Host, _ world: World) {
        switch note {
        case .added(let instance), .replaced(let instance):
            let place = place(host, instance.key)
            let content = Names.signature(instance.content, instance.status)
            if contents.updateValue(content, forKey: place) == content { return }
            change(instance.key, host, world)
        case .removed(let key), .evicted(let key, _):
            contents[place(host, key)] = nil
            change(key, host, world)
        default: break
        }
    }

    private func change(_ key: InstanceKey, _ host: Host, _ world: World) {
        let app = AppKey(packed: Array(key.packed[key.application.range]))
        changes[Topic(host: host.index, app: app)] = (world.now, world.stepCount)
    }

    private func place(_ host: Host, _ key: InstanceKey) -> Place {
        Place(host: host.index, incarnation: host.incarnation, key: key)
    }

    private func woken(
        _ request: PendingRequest, _ host: Host, _ world: World
    ) -> String? {
        guard case .client(.poll(let app, _, let zone, let hold)) = request.request,
            request.step < world.stepCount, !host.hasOverslept
        else { return nil }
        let held = host.clock.moment(at: world.now).monotonic - request.monotonic
        let changed = changes[Topic(host: host.index, app: Names.app(app))] ?? (.min, .min)
        let what = "\(host.name) told a poll of app.\(app) after \(Trace.text(held)) s, "
        if changed.step < request.step {
            return held < hold ? what + "and nothing had changed" : nil
        }
        // A zone may have changed before, and another one since.
        let age = world.now - changed.time
        guard zone.isEmpty, age > Duration.second else { return nil }
        return what + "of what had changed \(Trace.text(age)) s before"
    }

    /// To be told that nothing has changed is worth the wait only.
    private func early(_ request: PendingRequest, _ host: Host, _ world: World) -> String? {
        guard case .client(.poll(let app, _, _, let hold)) = request.request else { return nil }
        let held = host.clock.moment(at: world.now).monotonic - request.monotonic
        return held < hold
            ? "\(host.name) told a poll of app.\(app) after \(Trace.text(held)) s that nothing had"
                + " changed"
            : nil
    }

    private func leftBehind(_ world: World) -> String? {
        for host in world.hosts {
            guard let own = host.own else { continue }
            let polls = world.pending.values.count { request in
                guard request.host == host.index, request.incarnation == host.incarnation,
                    case .client(.poll) = request.request
                else { return false }
                return true
            }
            if own.node.waiterCount != polls {
                return "\(host.name) keeps \(own.node.waiterCount) waiters for \(polls) polls"
            }
        }
        return nil
    }
}
