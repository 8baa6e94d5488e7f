import DiscoveryCore

/// Every request is answered exactly once, and a poll not later than it may be held.
final class AnswerChecker: Checker {
    let name = "answers"
    /// A tick of the node's timers, and what a step may cut off for the next one.
    private static let slack = 50 * Duration.millisecond
    /// Longer than any answer waits for other nodes.
    private static let writeWait = 15 * Duration.second

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .answeredUnasked(let host, let id):
            return "\(host.name) answered request \(id.rawValue), which nobody waits for"
        case .answered(let host, _, let request, _):
            // A node that slept through a deadline could not have kept it.
            return host.hasOverslept ? nil : late(request, host, world)
        case .ended: return leftOver(world)
        default: return nil
        }
    }

    private func late(_ request: PendingRequest, _ host: Host, _ world: World) -> String? {
        let held = host.clock.moment(at: world.now).monotonic - request.monotonic
        guard case .client(.poll(_, _, _, let hold)) = request.request,
            held > hold + AnswerChecker.slack
        else { return nil }
        return "\(host.name) held a poll for \(Trace.text(held)) s of \(Trace.text(hold)) s"
    }

    private func leftOver(_ world: World) -> String? {
        for id in world.pending.keys.sorted() {
            guard let request = world.pending[id] else { continue }
            let host = world.hosts[request.host]
            let age = host.clock.moment(at: world.now).monotonic - request.monotonic
            guard host.own != nil else { continue }
            let isPoll = if case .client(.poll) = request.request { true } else { false }
            let longest = isPoll ? world.options.pollHold : AnswerChecker.writeWait
            if age > longest + AnswerChecker.slack {
                return "\(host.name) never answered request \(id): \(request.request)"
            }
        }
        return nil
    }
}
