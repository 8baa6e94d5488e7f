internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire

/// One loop turn on its way to the node and back: requests in, replies out. Filled, run and emptied
/// by its loop, and used again in the next turn, so that it allocates nothing once it has grown.
struct Turn: Sendable {
    /// The loop it belongs to; -1 for none, then every reply is for another loop.
    let loop: Int
    var batch = Batch()
    /// The requests that want another shape of `instances` than the setting's.
    var shapes: [RequestID: InstancesShape] = [:]

    /// Replies for this loop, in the order they are to be written.
    var replies: [Reply] = []
    /// The bodies of those replies that are not shared.
    var bytes: [UInt8] = []
    /// Larger bodies of many applications are not among them: a few hundred would be gigabytes.
    static let copiedBytesMax = 64 * 1024
    /// Replies for tickets of other loops, by loop: polls that were held there.
    var foreign: [[AddressedReply]]
    /// Requests to other nodes.
    var calls: [PeerCall] = []
    /// The other nodes have been heard: the node may listen now.
    var hasJoined = false

    init(loop: Int, loopCount: Int) {
        self.loop = loop
        foreign = Array(repeating: [], count: loopCount)
    }

    struct Reply: Sendable {
        let ticket: Ticket
        let code: ReplyCode
        let body: Body
    }

    enum Body: Sendable {
        /// A range of `Turn.bytes`.
        case bytes(Range<Int>)
        case shared(SharedBody)
    }

    /// Bytes of replies kept for the next turn; more is given back, so that one huge answer does
    /// not stay in memory.
    static let bytesKept = 1 << 20

    mutating func removeAll() {
        batch.removeAll()
        if bytes.capacity > Turn.bytesKept { bytes = [] }
        if !shapes.isEmpty { shapes.removeAll() }
        replies.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
        if !calls.isEmpty { calls.removeAll(keepingCapacity: true) }
        hasJoined = false
        for index in foreign.indices where !foreign[index].isEmpty { foreign[index] = [] }
    }
}
