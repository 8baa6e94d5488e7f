/// The instances that a caller in one zone is to use, with final weights.
package struct Balanced {
    package struct Row {
        package let instance: Instance
        /// Above 0.
        package let weight: Int64
    }

    package let basis: Balancing.Basis
    /// By zone and hostname.
    package let rows: [Row]
}

extension AppView {
    /// What decides how a caller shares its requests out: all with the same one do as the others.
    package func decision(for zone: [UInt8]) -> [UInt8]? {
        let isNamed = schedule?.rule(for: zone) != nil
        let isOwn = zones.contains { $0.name == zone && !$0.rows.isEmpty }
        return isNamed || isOwn ? zone : nil
    }

    /// How a caller in `zone` shares its requests out among the instances of this view.
    package func balanced(for zone: [UInt8]) -> Balanced {
        let rule = schedule?.rule(for: zone)
        let (basis, finals) = Balancing.weights(
            of: zones.map { $0.rows.map(\.instance.weight) },
            shares: rule.map { rule in
                zones.map { group in
                    rule.shares.first { $0.zone == group.name }?.weight ?? 0
                }
            },
            own: zones.firstIndex { $0.name == zone })
        var rows: [Balanced.Row] = []
        for (group, weights) in zip(zones, finals) {
            for (row, weight) in zip(group.rows, weights) where weight > 0 {
                rows.append(Balanced.Row(instance: row.instance, weight: weight))
            }
        }
        return Balanced(basis: basis, rows: rows)
    }
}

extension Instance {
    /// `weight` in its metadata, or the usual one.
    var weight: Int64 {
        let content = self.content
        let packed = content.packed.span
        var reader = content.reader
        _ = reader.field(of: packed)
        _ = reader.field(of: packed)
        for _ in 0..<reader.count(in: packed) { _ = reader.field(of: packed) }
        let name = "weight".utf8.span
        for _ in 0..<reader.count(in: packed) {
            let key = reader.field(of: packed)
            let value = reader.field(of: packed)
            if packed.extracting(key.range).holdsSame(as: name) {
                return Balancing.weight(packed.extracting(value.range))
            }
        }
        return Balancing.weightUsual
    }
}
