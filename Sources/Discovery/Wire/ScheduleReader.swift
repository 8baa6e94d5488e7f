package import DiscoveryCore

/// Reads a scheduler file: JSON, one application in one env.
///
/// Both forms that the reference has had are taken: `clients`, as its server reads it, and `zones`,
/// a list of `src` and `dst`, as in its example file. That one is a list of several applications;
/// here each has a file of its own.
package enum ScheduleReader {
    /// Of a file, and of what is made of it: a schedule is repeated in every answer about its
    /// application.
    package static let bytesMax = 65_536
    package static let weightRange = 0...Int64(Int32.max)

    /// Throws what is wrong: the key, what was found, what is allowed.
    package static func read(
        _ text: Span<UInt8>, shape: SchedulerShape
    ) throws(Rejection) -> Scheduled {
        let tree = try JSONReader.decode(JSONTree.self, text, "the file")
        guard case .object(let members) = tree else {
            throw Rejection(
                "found \(tree.found), allowed is an object with app_id, env and clients: a file "
                    + "for each application")
        }
        if JSONReader.hasTwins(text, tree) {
            throw Rejection("found a key twice in one object, allowed is each once")
        }
        var file = File()
        for member in members { try file.take(member.name, member.value) }
        return try file.scheduled(shape)
    }

    private struct File {
        private var appid: [UInt8]?
        private var env: [UInt8]?
        private var remark: [UInt8] = []
        private var rules: [ZoneSchedule.Rule]?

        mutating func take(_ name: String, _ value: JSONTree) throws(Rejection) {
            switch name {
            case "app_id": appid = try Self.name(value, name)
            case "env": env = try Self.name(value, name)
            case "remark":
                guard case .text(let text) = value else {
                    throw Self.wrong(name, value.found, allowed: "a string")
                }
                remark = Array(text.utf8)
            case "clients", "zones":
                guard rules == nil else {
                    throw Rejection("found both clients and zones, allowed is one of them")
                }
                rules = try name == "clients" ? Self.clients(value) : Self.zones(value)
            default:
                throw Rejection(
                    "\(Message.quote(name)): no such key, allowed are app_id, env, clients (or "
                        + "zones) and remark")
            }
        }

        func scheduled(_ shape: SchedulerShape) throws(Rejection) -> Scheduled {
            guard let appid else { throw Self.wrong("app_id", "nothing", allowed: Self.nameRule) }
            guard let env else { throw Self.wrong("env", "nothing", allowed: Self.nameRule) }
            guard let rules else {
                throw Self.wrong("clients", "nothing", allowed: Self.clientsRule)
            }
            guard let app = AppKey(env: env, appid: appid) else {
                throw Self.wrong("app_id", "a longer name", allowed: Self.nameRule)
            }
            let schedule = ZoneSchedule(rules: rules, remark: remark, shape: shape)
            guard schedule.encoded.count <= ScheduleReader.bytesMax else {
                throw Rejection(
                    "found a schedule of \(schedule.encoded.count) bytes in each answer, "
                        + "allowed are \(ScheduleReader.bytesMax)")
            }
            return Scheduled(app: app, schedule: schedule)
        }

        // MARK: Values

        private static let nameRule =
            "a name of at most \(PackedKey.fieldBytesMax) bytes without control characters"
        private static let clientsRule =
            "an object like {\"sh001\": {\"zones\": {\"sh001\": {\"weight\": 3}}}}"
        private static let zonesRule =
            "a list like [{\"src\": \"sh001\", \"dst\": {\"sh001\": 3}}]"
        private static let weightRule =
            "a whole number from \(weightRange.lowerBound) to \(weightRange.upperBound)"

        private static func wrong(
            _ key: String, _ found: String, allowed: String
        ) -> Rejection {
            Rejection("\(key): found \(found), allowed is \(allowed)")
        }

        private static func name(_ value: JSONTree, _ key: String) throws(Rejection) -> [UInt8] {
            guard case .text(let text) = value else {
                throw wrong(key, value.found, allowed: nameRule)
            }
            return try name(text, key)
        }

        private static func name(_ text: String, _ key: String) throws(Rejection) -> [UInt8] {
            let bytes = Array(text.utf8)
            guard KeyField.isSound(bytes.span), bytes.count <= PackedKey.fieldBytesMax else {
                throw wrong(key, JSONTree.quoted(text), allowed: nameRule)
            }
            return bytes
        }

        private static func weight(_ value: JSONTree, _ key: String) throws(Rejection) -> Int64 {
            guard case .integer(let weight) = value, weightRange.contains(weight) else {
                throw wrong(key, value.found, allowed: weightRule)
            }
            return weight
        }

        private static func members(
            _ value: JSONTree, _ key: String, allowed: String
        ) throws(Rejection) -> [JSONTree.Member] {
            guard case .object(let members) = value else {
                throw wrong(key, value.found, allowed: allowed)
            }
            return members
        }

        /// The only member of an object.
        private static func only(
            _ name: String, of value: JSONTree, _ key: String
        ) throws(Rejection) -> JSONTree {
            let members = try members(value, key, allowed: "an object with the key \(name)")
            for member in members where member.name != name {
                throw Rejection(
                    "\(key).\(Message.quote(member.name)): no such key, allowed is \(name)")
            }
            guard let member = members.first else {
                throw wrong(key, "no \(name)", allowed: "an object with the key \(name)")
            }
            return member.value
        }

        // MARK: Forms

        /// `{"sh001": {"zones": {"sh002": {"weight": 1}}}}`.
        private static func clients(
            _ value: JSONTree
        ) throws(Rejection) -> [ZoneSchedule.Rule] {
            var rules: [ZoneSchedule.Rule] = []
            for client in try members(value, "clients", allowed: clientsRule) {
                let key = "clients.\(Message.quote(client.name))"
                let caller = try name(client.name, "a zone in clients")
                let zones = try only("zones", of: client.value, key)
                var shares: [ZoneSchedule.Share] = []
                for zone in try members(zones, "\(key).zones", allowed: "an object of zones") {
                    let place = "\(key).zones.\(Message.quote(zone.name))"
                    let weight = try only("weight", of: zone.value, place)
                    shares.append(
                        ZoneSchedule.Share(
                            zone: try name(zone.name, "a zone in \(key).zones"),
                            weight: try self.weight(weight, "\(place).weight")))
                }
                rules.append(ZoneSchedule.Rule(caller: caller, shares: shares))
            }
            return rules
        }

        /// `[{"src": "sh001", "dst": {"sh002": 1}}]`.
        private static func zones(
            _ value: JSONTree
        ) throws(Rejection) -> [ZoneSchedule.Rule] {
            guard case .list(let items) = value else {
                throw wrong("zones", value.found, allowed: zonesRule)
            }
            var rules: [ZoneSchedule.Rule] = []
            for (index, item) in items.enumerated() {
                let rule = try rule(item, "zones[\(index)]")
                guard !rules.contains(where: { $0.caller == rule.caller }) else {
                    throw wrong(
                        "zones[\(index)].src", "a zone for the second time",
                        allowed: "one rule for each zone")
                }
                rules.append(rule)
            }
            return rules
        }

        private static func rule(
            _ value: JSONTree, _ key: String
        ) throws(Rejection) -> ZoneSchedule.Rule {
            var caller: [UInt8]?
            var shares: [ZoneSchedule.Share]?
            for member in try members(value, key, allowed: "an object with src and dst") {
                switch member.name {
                case "src": caller = try name(member.value, "\(key).src")
                case "dst": shares = try self.shares(member.value, "\(key).dst")
                default:
                    throw Rejection(
                        "\(key).\(Message.quote(member.name)): no such key, allowed are src and dst"
                    )
                }
            }
            guard let caller, let shares else {
                throw wrong(key, "no src or no dst", allowed: "an object with src and dst")
            }
            return ZoneSchedule.Rule(caller: caller, shares: shares)
        }

        private static func shares(
            _ value: JSONTree, _ key: String
        ) throws(Rejection) -> [ZoneSchedule.Share] {
            var shares: [ZoneSchedule.Share] = []
            for zone in try members(value, key, allowed: "an object of zones and weights") {
                shares.append(
                    ZoneSchedule.Share(
                        zone: try name(zone.name, "a zone in \(key)"),
                        weight: try weight(zone.value, "\(key).\(Message.quote(zone.name))")))
            }
            return shares
        }
    }
}
