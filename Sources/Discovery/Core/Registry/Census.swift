/// How many instances and applications there are by env and zone: for metrics, counted along with
/// each write.
package struct Census: Sendable {
    package struct Place: Hashable, Sendable {
        package let env: [UInt8]
        package let zone: [UInt8]
    }

    package struct Count: Equatable, Sendable {
        package var up = 0
        package var waiting = 0
        /// Applications with an instance there, whatever its status.
        package var apps = 0
    }

    /// Without an order; sort before showing.
    package private(set) var counts: [Place: Count] = [:]

    mutating func count(_ key: InstanceKey, _ status: InstanceStatus, by difference: Int) {
        change(key) { count in
            switch status {
            case .up: count.up += difference
            case .waiting: count.waiting += difference
            }
        }
    }

    /// The application of the instance came to its zone, or left it.
    mutating func countApp(_ key: InstanceKey, by difference: Int) {
        change(key) { $0.apps += difference }
    }

    private mutating func change(_ key: InstanceKey, _ change: (inout Count) -> Void) {
        let place = Place(
            env: Array(key.packed[key.env.range]), zone: Array(key.packed[key.zone.range]))
        var count = counts[place] ?? Count()
        change(&count)
        counts[place] = count == Count() ? nil : count
    }
}
