package import DiscoveryCore

/// Writes the answer to balance, an addition to the reference's API: the instances that a caller is
/// to use, with final weights, for programs that cannot calculate them.
package enum BalanceWriter {
    package static func body(_ view: AppView, zone: [UInt8]) -> [UInt8] {
        let balanced = view.balanced(for: zone)
        var out: [UInt8] = []
        out.append(AnswerWriter.dataHead)
        out.append(#"{"basis":""#)
        out.append(name(of: balanced.basis))
        out.append(#"","instances":["#)
        var total: Int64 = 0
        for (index, row) in balanced.rows.enumerated() {
            if index > 0 { out.append(",") }
            append(row, to: &out)
            total += row.weight
        }
        out.append(#"],"total_weight":"#)
        out.append(number: total)
        out.append(#","latest_timestamp":"#)
        out.append(number: view.latest)
        out.append("}}")
        return out
    }

    private static func name(of basis: Balancing.Basis) -> String {
        switch basis {
        case .schedule: "scheduler"
        case .ownZone: "own_zone"
        case .allZones: "all_zones"
        }
    }

    private static func append(_ row: Balanced.Row, to out: inout [UInt8]) {
        let (key, content) = (row.instance.key, row.instance.content.unpacked)
        out.append(#"{"zone":"#)
        out.append(quoted: key.zone, of: key.packed)
        out.append(#","hostname":"#)
        out.append(quoted: key.hostname, of: key.packed)
        out.append(#","addrs":["#)
        for (index, address) in content.addrs.enumerated() {
            if index > 0 { out.append(",") }
            out.append(quoted: address.span)
        }
        out.append(#"],"version":"#)
        out.append(quoted: content.version.span)
        out.append(#","metadata":"#)
        out.append(object: content.metadata)
        out.append(#","weight":"#)
        out.append(number: row.weight)
        out.append("}")
    }
}
