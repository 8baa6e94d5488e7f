internal import DiscoveryCore

/// All instances of an app at one moment.
public struct Snapshot: Sendable, Equatable {
    public let appID: String
    /// Those that take traffic, by zone and hostname.
    public let instances: [Instance]
    /// The registry's timestamp of the app, nanoseconds: grows with each change at one node, and
    /// may be another one at another node.
    public let latestTimestamp: Int64
    /// By the caller's zone: the share of each zone. From the operator's scheduler file.
    let schedule: [String: [String: Int64]]

    /// An instance with its final weight: what it gets is that in the sum of all.
    public struct Weighted: Sendable, Equatable {
        public let instance: Instance
        /// From 1 to 2^31 - 1.
        public let weight: Int
    }

    /// Whom a caller in `zone` is to use: by the operator's schedule if it has a rule for the zone,
    /// else the instances of the zone, else all of them. The same rule as the registry's own
    /// `/discovery/balance`.
    public func balanced(for zone: String) -> [Weighted] {
        var zones: [(name: String, instances: [Instance])] = []
        for instance in instances {
            if zones.last?.name == instance.zone {
                zones[zones.count - 1].instances.append(instance)
            } else {
                zones.append((instance.zone, [instance]))
            }
        }
        let (_, finals) = Balancing.weights(
            of: zones.map { $0.instances.map(\.ownWeight) },
            shares: schedule[zone].map { shares in zones.map { max(0, shares[$0.name] ?? 0) } },
            own: zones.firstIndex { $0.name == zone })
        var weighted: [Weighted] = []
        for (group, weights) in zip(zones, finals) {
            for (instance, weight) in zip(group.instances, weights) where weight > 0 {
                weighted.append(Weighted(instance: instance, weight: Int(weight)))
            }
        }
        return weighted
    }

    /// Timestamps are not compared: another node has others for the same.
    func differs(from other: Snapshot?) -> Bool {
        guard let other, schedule == other.schedule, instances.count == other.instances.count
        else { return true }
        return !zip(instances, other.instances).allSatisfy { $0.isSame(as: $1) }
    }

    func filtered(_ isWanted: (Instance) -> Bool) -> Snapshot {
        Snapshot(
            appID: appID, instances: instances.filter(isWanted),
            latestTimestamp: latestTimestamp, schedule: schedule)
    }
}

extension Instance {
    /// But for its timestamp.
    fileprivate func isSame(as other: Instance) -> Bool {
        hostname == other.hostname && zone == other.zone && addresses == other.addresses
            && metadata == other.metadata && version == other.version && region == other.region
            && status == other.status && env == other.env && appID == other.appID
    }

    fileprivate var ownWeight: Int64 { Balancing.weight((metadata["weight"] ?? "").utf8.span) }
}
