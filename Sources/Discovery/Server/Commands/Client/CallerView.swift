internal import DiscoveryCore
internal import DiscoveryWire

/// Whom a caller uses, from what any node says of an app: as the nodes of this project calculate it
/// under `balance`, which those of the reference do not know.
enum CallerView {
    /// With the final weights for a caller in `zone`; without one all, with their own.
    static func rows(
        _ data: JSONTree, zone: String?
    ) -> [(instance: JSONTree, weight: Int64)] {
        let zones = data["instances"].members.map { group in
            (
                name: group.name,
                instances: group.value.items.filter { $0["status"] == .integer(1) }
                    .sorted { $0["hostname"].text < $1["hostname"].text }
            )
        }
        let weights = zones.map { $0.instances.map(weight) }
        let rule = zone.flatMap { CallerView.shares(data["scheduler"], for: $0) }
        let (_, finals) = Balancing.weights(
            of: weights, shares: rule.map { shares in zones.map { shares[$0.name] ?? 0 } },
            own: zones.firstIndex { $0.name == zone })
        return pairs(zones.map(\.instances), finals)
    }

    private static func pairs(
        _ instances: [[JSONTree]], _ weights: [[Int64]]
    ) -> [(instance: JSONTree, weight: Int64)] {
        zip(instances.joined(), weights.joined()).filter { $0.1 > 0 }
            .map { (instance: $0.0, weight: $0.1) }
    }

    private static func weight(_ instance: JSONTree) -> Int64 {
        Balancing.weight(instance["metadata"]["weight"].text.utf8.span)
    }

    /// Of the rule for callers in the zone, in either shape; nil without one.
    private static func shares(_ scheduler: JSONTree, for zone: String) -> [String: Int64]? {
        let client = scheduler["clients"][zone]
        if client != .null {
            return shares(client["zones"]) { $0["weight"].integer }
        }
        let rule = scheduler.items.last { $0["src"].text == zone }
        return rule.map { shares($0["dst"], \.integer) }
    }

    private static func shares(
        _ zones: JSONTree, _ weight: (JSONTree) -> Int64
    ) -> [String: Int64] {
        Dictionary(zones.members.map { ($0.name, max(0, weight($0.value))) }) { $1 }
    }
}
