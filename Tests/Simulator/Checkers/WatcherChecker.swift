import DiscoveryCore

/// Every chain of polls ends with what is there: no wake-up was lost on the way.
final class WatcherChecker: Checker {
    let name = "watchers"

    func see(_ sight: Sight, _ world: World) -> String? {
        // Of the last second somebody may not have heard yet.
        guard case .ended = sight, world.now - world.lastChange > Duration.second else {
            return nil
        }
        for watcher in world.watchers {
            let host = world.hosts[watcher.host]
            // Of an application without instances nobody is told who was not there when they went.
            guard
                let look = world.look(
                    at: Names.app(watcher.app), zone: watcher.zone, statuses: 1, on: host)
            else { continue }
            if watcher.signature != Names.signature(look) {
                let zone = watcher.zone.isEmpty ? "" : " in \(watcher.zone)"
                return "w\(watcher.index) at \(host.name) has not seen the last of "
                    + "app.\(watcher.app)\(zone): it has \(Trace.version(watcher.latest)), "
                    + "there is \(Trace.version(look.latest))"
            }
        }
        return nil
    }
}
