/// Where the callers of each zone send their requests to, for one application: the operator's word,
/// from a file of this node. Clients are shown it beside the instances.
package struct ZoneSchedule: Equatable, Sendable {
    /// A zone that instances are in, and its part of a caller's requests. 0: none of them.
    package struct Share: Equatable, Sendable {
        package let zone: [UInt8]
        /// At least 0.
        package let weight: Int64

        package init(zone: [UInt8], weight: Int64) {
            self.zone = zone
            self.weight = weight
        }
    }

    /// How the requests of callers in one zone are shared out.
    package struct Rule: Equatable, Sendable {
        package let caller: [UInt8]
        /// Sorted by zone, each once.
        package let shares: [Share]

        package init(caller: [UInt8], shares: [Share]) {
            self.caller = caller
            self.shares = shares
        }
    }

    /// Sorted by caller, each once.
    package let rules: [Rule]
    /// What the operator has to say about it.
    package let remark: [UInt8]
    /// What clients are shown: JSON, in the shape that this node's clients read.
    package let encoded: [UInt8]
    /// Of rules and remark: equal on all nodes that have the same file, whatever shape they show it
    /// in.
    let digest: UInt64

    /// Rules and shares in any order; of several for one zone the last counts.
    package init(
        rules: [Rule], remark: [UInt8] = [], encoded: (_ sorted: [Rule]) -> [UInt8]
    ) {
        let sorted = ZoneSchedule.last(of: rules, by: \.caller).map { rule in
            Rule(
                caller: rule.caller, shares: ZoneSchedule.last(of: rule.shares, by: \.zone))
        }
        self.rules = sorted
        self.remark = remark
        self.encoded = encoded(sorted)
        var digest = ByteHash.common.wide(remark.span)
        for rule in sorted {
            digest = ByteHash.join(digest, ByteHash.common.wide(rule.caller.span))
            for share in rule.shares {
                digest = ByteHash.join(digest, ByteHash.common.wide(share.zone.span))
                digest = ByteHash.join(digest, UInt64(bitPattern: share.weight))
            }
            digest = ByteHash.join(digest, UInt64(rule.shares.count))
        }
        // Without a rule it is shown all the same, so it counts.
        self.digest = ByteHash.join(digest, UInt64(sorted.count))
    }

    /// Of the schedule of this application; what is shown is not part of it.
    package func digest(of app: AppKey) -> UInt64 {
        ByteHash.join(ByteHash.common.wide(app.packed.span), digest)
    }

    /// What applies to callers in this zone.
    func rule(for caller: [UInt8]) -> Rule? { rules.first { $0.caller == caller } }

    private static func last<Element>(
        of elements: [Element], by name: KeyPath<Element, [UInt8]>
    ) -> [Element] {
        var order = elements.indices.sorted { left, right in
            let (one, other) = (elements[left][keyPath: name], elements[right][keyPath: name])
            return one == other ? left > right : one.precedes(other)
        }
        var kept: [UInt8]?
        order.removeAll { index in
            defer { kept = elements[index][keyPath: name] }
            return elements[index][keyPath: name] == kept
        }
        return order.map { elements[$0] }
    }
}
