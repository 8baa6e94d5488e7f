internal import DiscoveryHTTP

/// Bodies made for one asker each, in the making or on the way to slow readers. All together they
/// are bounded: whoever may ask could otherwise have a node hold as much as it has connections for.
/// On the node's queue only.
struct LivingBodies {
    private struct Living {
        weak var body: SharedBody?
        let count: Int
    }

    /// A hundred and more pages of a start; each is read within moments by a node that is well.
    static let bytesMax = 64 << 20

    private let bytesMax: Int
    private var living: [Living] = []
    /// Of `living`, with those that have gone since they were counted last.
    private var bytes = 0

    init(bytesMax: Int = LivingBodies.bytesMax) { self.bytesMax = bytesMax }

    /// Nil if there are too many others.
    mutating func make(_ contents: ArraySlice<UInt8>) -> SharedBody? {
        if bytes + contents.count > bytesMax {
            living.removeAll { $0.body == nil }
            bytes = living.reduce(0) { $0 + $1.count }
            if bytes + contents.count > bytesMax { return nil }
        }
        let body = SharedBody(contents)
        living.append(Living(body: body, count: contents.count))
        bytes += contents.count
        return body
    }
}
