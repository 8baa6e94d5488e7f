import DiscoveryCore

extension World {
    func apply(_ fault: Fault) {
        // What was planned to end later has ended with the heal.
        if phase != .faults {
            switch fault {
            case .start, .pause(_, isPaused: false), .act: break
            default: return
            }
        }
        switch fault {
        case .cut(let from, let to, let isCut):
            trace.add(
                now, hosts[from].name, isCut ? "cut" : "mended", "towards \(hosts[to].name)")
            network.cut(from: from, to: to, isCut: isCut)
        case .cutZone(let from, let to, let isCut):
            trace.add(
                now, Host.zoneName(from), isCut ? "cut" : "mended",
                "towards \(Host.zoneName(to))")
            network.cutZone(from: from, to: to, isCut: isCut)
        case .crash(let host): end(hosts[host])
        case .stop(let host): if !hosts[host].isPaused { stop(hosts[host]) }
        case .start(let host): start(hosts[host])
        case .pause(let host, let isPaused): pause(hosts[host], isPaused: isPaused)
        case .halfOpen(let host, let isHalfOpen):
            trace.add(now, hosts[host].name, isHalfOpen ? "half-open" : "whole", "")
            hosts[host].isHalfOpen = isHalfOpen
        case .slow(let host, let delay):
            trace.add(now, hosts[host].name, "slow", "by \(Trace.text(delay)) s")
            hosts[host].extraDelay = delay
        case .stepWall(let host, let step):
            trace.add(now, hosts[host].name, "clock", "steps by \(Trace.text(step)) s")
            hosts[host].clock.wallOffset += step
        case .act(let provider, let action): act(provider, action)
        }
    }

    private func pause(_ host: Host, isPaused: Bool) {
        guard host.isRunning, host.isPaused != isPaused else { return }
        trace.add(now, host.name, isPaused ? "paused" : "resumed", "")
        host.isPaused = isPaused
        guard !isPaused else { return }
        let inbox = host.inbox
        host.inbox = []
        for event in inbox { handle(event) }
        host.tickAt = nil
        schedule(host)
    }
}
