package import DiscoveryCore

/// How `scheduler` is written: clients in the field read the one or the other, and throw the whole
/// answer away if it is not theirs.
package enum SchedulerShape: Sendable {
    /// `{"clients":{"sh001":{"zones":{"sh002":{"weight":1}}}},"remark":""}`: the reference's
    /// server, kratos from v0.3 on.
    case object
    /// `[{"src":"sh001","dst":{"sh002":1}}]`: the reference's own Go SDK, kratos before.
    case array
}

extension ZoneSchedule {
    package init(rules: [Rule], remark: [UInt8], shape: SchedulerShape) {
        self.init(rules: rules, remark: remark) { sorted in
            var out: [UInt8] = []
            switch shape {
            case .object: ZoneSchedule.appendObject(sorted, remark, to: &out)
            case .array: ZoneSchedule.appendArray(sorted, to: &out)
            }
            return out
        }
    }

    private static func appendObject(
        _ rules: [Rule], _ remark: [UInt8], to out: inout [UInt8]
    ) {
        out.append(#"{"clients":{"#)
        for (index, rule) in rules.enumerated() {
            if index > 0 { out.append(",") }
            out.append(quoted: rule.caller.span)
            out.append(#":{"zones":{"#)
            for (index, share) in rule.shares.enumerated() {
                if index > 0 { out.append(",") }
                out.append(quoted: share.zone.span)
                out.append(#":{"weight":"#)
                out.append(number: share.weight)
                out.append("}")
            }
            out.append("}}")
        }
        out.append(#"},"remark":"#)
        out.append(quoted: remark.span)
        out.append("}")
    }

    private static func appendArray(_ rules: [Rule], to out: inout [UInt8]) {
        out.append("[")
        for (index, rule) in rules.enumerated() {
            out.append(index == 0 ? #"{"src":"# : #",{"src":"#)
            out.append(quoted: rule.caller.span)
            out.append(#","dst":{"#)
            for (index, share) in rule.shares.enumerated() {
                if index > 0 { out.append(",") }
                out.append(quoted: share.zone.span)
                out.append(":")
                out.append(number: share.weight)
            }
            out.append("}}")
        }
        out.append("]")
    }
}
