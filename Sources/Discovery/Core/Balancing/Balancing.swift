/// Shares out the requests of a caller among the instances of an application.
///
/// As the reference's SDK means to do it: the zones divide the requests as the schedule says, and
/// within a zone the instances divide them by their own weights. An instance of weight w in a zone
/// with weights of W in sum, and a share of s of all shares S of zones that have instances, gets
/// s/S × w/W of the requests. Exactly, as long as whole numbers up to `weightMax` can say it;
/// beyond that the largest weight is `weightMax` and the others are rounded to it, to 1 at least.
package enum Balancing {
    /// A zone with instances in it.
    package struct Zone: Equatable, Sendable {
        /// Its part of the requests, at least 0.
        package var share: Int64
        /// The instances' own weights, each above 0.
        package var weights: [Int64]

        package init(share: Int64, weights: [Int64]) {
            self.share = share
            self.weights = weights
        }
    }

    /// Clients keep weights in signed integers of 32 bits, nginx among them.
    package static let weightMax = Int64(Int32.max)
    /// Of an instance that says none, 0, or nothing that is a whole number: the reference's.
    package static let weightUsual: Int64 = 10

    /// The instances' final weights, in the order given; without a common divisor, unless they were
    /// rounded. 0 in zones without a share; all 0 if no zone has one.
    package static func weights(of zones: [Zone]) -> [[Int64]] {
        exactWeights(of: zones) ?? roundedWeights(of: zones)
    }

    // MARK: Whom to use

    /// What decides whom a caller uses.
    package enum Basis: Equatable, Sendable {
        /// The schedule has a rule for the caller's zone.
        case schedule
        /// No rule, or none of its zones has an instance: those of the caller's own zone.
        case ownZone
        /// None there either: all there are, so that nothing is cut off.
        case allZones
    }

    /// The final weights that a caller uses instances with; 0: not at all. `zones`: the instances'
    /// own weights, each above 0. `shares`: of each zone by the rule for the caller, nil without
    /// one. `own`: the caller's own zone among them.
    package static func weights(
        of zones: [[Int64]], shares: [Int64]?, own: Int?
    ) -> (basis: Basis, finals: [[Int64]]) {
        if let shares {
            let finals = weights(of: zip(zones, shares).map { Zone(share: $1, weights: $0) })
            if finals.contains(where: { $0.contains { $0 > 0 } }) { return (.schedule, finals) }
        }
        if let own, !zones[own].isEmpty {
            var finals = zones.map { $0.map { _ in Int64(0) } }
            finals[own] = unscheduled(zones[own])
            return (.ownZone, finals)
        }
        var all = unscheduled(Array(zones.joined()))[...]
        return (
            .allZones,
            zones.map { zone in
                defer { all = all.dropFirst(zone.count) }
                return Array(all.prefix(zone.count))
            }
        )
    }

    /// As they are, unless one is too large.
    private static func unscheduled(_ weights: [Int64]) -> [Int64] {
        if weights.allSatisfy({ $0 <= weightMax }) { return weights }
        return self.weights(of: [Zone(share: 1, weights: weights)])[0]
    }

    /// An instance's own weight, as its metadata says it.
    package static func weight(_ text: Span<UInt8>) -> Int64 {
        var weight: Int64 = 0
        let isSigned = text.count > 1 && text[0] == UInt8(ascii: "+")
        for index in (isSigned ? 1 : 0)..<text.count {
            let digit = Int64(text[index]) - 48
            guard digit >= 0, digit <= 9 else { return weightUsual }
            let (tens, isOver) = weight.multipliedReportingOverflow(by: 10)
            let (sum, isSumOver) = tens.addingReportingOverflow(digit)
            if isOver || isSumOver { return weightUsual }
            weight = sum
        }
        return weight > 0 ? weight : weightUsual
    }

    // MARK: Exactly

    /// share/W of each zone, in lowest terms, over their least common denominator, times the
    /// instance's own weight. Nil if a number on the way is too large.
    ///
    /// Shares and the weights of each zone are freed of common divisors first. So what comes out
    /// has none either, and the denominator is no larger than its sum: where it can be said,
    /// nothing on the way overflows.
    private static func exactWeights(of zones: [Zone]) -> [[Int64]]? {
        let parts = reduced(zones)
        var factors: [(numerator: Int64, denominator: Int64)] = []
        var common: Int64 = 1
        for zone in parts {
            if zone.share == 0 || zone.weights.isEmpty {
                factors.append((0, 1))
                continue
            }
            guard let sum = sum(zone.weights), sum > 0 else { return nil }
            let divisor = greatestCommonDivisor(zone.share, sum)
            factors.append((zone.share / divisor, sum / divisor))
            let missing = sum / divisor / greatestCommonDivisor(common, sum / divisor)
            guard let product = product(common, missing) else { return nil }
            common = product
        }
        var weights: [[Int64]] = []
        for (zone, factor) in zip(parts, factors) {
            guard let factor = product(factor.numerator, common / factor.denominator)
            else { return nil }
            var finals: [Int64] = []
            finals.reserveCapacity(zone.weights.count)
            for weight in zone.weights {
                guard let final = product(weight, factor), final <= weightMax else { return nil }
                finals.append(final)
            }
            weights.append(finals)
        }
        return weights
    }

    /// The same parts of the requests in smaller numbers.
    private static func reduced(_ zones: [Zone]) -> [Zone] {
        let divisor = zones.reduce(Int64(0)) { divisor, zone in
            zone.weights.isEmpty ? divisor : greatestCommonDivisor(divisor, zone.share)
        }
        return zones.map { zone in
            let common = zone.weights.reduce(Int64(0)) { greatestCommonDivisor($0, $1) }
            return Zone(
                share: zone.weights.isEmpty ? 0 : zone.share / max(1, divisor),
                weights: common > 1 ? zone.weights.map { $0 / common } : zone.weights)
        }
    }

    private static func sum(_ weights: [Int64]) -> Int64? {
        var sum: Int64 = 0
        for weight in weights {
            let (next, isOver) = sum.addingReportingOverflow(weight)
            if isOver { return nil }
            sum = next
        }
        return sum
    }

    private static func product(_ one: Int64, _ other: Int64) -> Int64? {
        let (product, isOver) = one.multipliedReportingOverflow(by: other)
        return isOver ? nil : product
    }

    /// Of two that are not negative.
    private static func greatestCommonDivisor(_ one: Int64, _ other: Int64) -> Int64 {
        var (one, other) = (one, other)
        while other != 0 { (one, other) = (other, one % other) }
        return one
    }

    // MARK: Rounded

    /// Nothing here is as large as 2^128: shares are moved up or down to 32 bits, the weights of a
    /// zone down until their sum has 64, and 31 bits more tell the parts of a million instances
    /// apart.
    private static func roundedWeights(of zones: [Zone]) -> [[Int64]] {
        let largestShare = zones.reduce(0) { $1.weights.isEmpty ? $0 : max($0, $1.share) }
        let shift = 32 - (Int64.bitWidth - largestShare.leadingZeroBitCount)
        let parts = zones.map { zone in
            let sum = zone.weights.reduce(UInt128(0)) { $0 + UInt128($1) }
            let excess = max(0, 64 - sum.leadingZeroBitCount)
            let share = UInt128(zone.share) << shift
            return zone.weights.map { weight in
                (share * (UInt128(weight) >> excess) << 31) / max(1, sum >> excess)
            }
        }
        let largest = parts.reduce(UInt128(0)) { $1.reduce($0, max) }
        return zip(zones, parts).map { zone, parts in
            if zone.share == 0 || largest == 0 { return parts.map { _ in 0 } }
            return parts.map { part in
                max(1, Int64((part * UInt128(weightMax) + largest / 2) / largest))
            }
        }
    }
}
