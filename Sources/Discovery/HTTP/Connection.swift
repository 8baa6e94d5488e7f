internal import CLibevent

/// What a loop knows about one connection: the only allocation of ours that each costs.
///
/// Owned by `EventLoop.connections`. Loop thread only. evhttp owns the C objects; the pointers are
/// valid until `EventLoop.connectionClosed` runs, which takes this out of every table.
@safe final class Connection {
    /// What `dueNanoseconds` is waiting for.
    enum Due {
        case firstByte
        case head
        case body
        case lingerEnd
    }

    /// A cycle until the connection is closed; the loop closes all before it ends.
    let loop: EventLoop
    /// Position of the listener that accepted it.
    let listener: Int32
    var descriptor: Int32 = -1
    let bufferevent: OpaquePointer
    /// nil until adopted, and again once closed.
    var evhttpConnection: OpaquePointer?
    /// The unanswered request; evhttp hands out one per connection at a time.
    var request: OpaquePointer?
    /// Number in the ticket of the last request.
    var number: UInt32 = 0
    /// Messages the frame guard let pass, and of those, the ones evhttp has delivered. They are
    /// equal whenever no further good message waits in the input. Both wrap.
    var framed: UInt32 = 0
    var received: UInt32 = 0
    var frames: FrameGuard
    /// Bytes thrown away behind a violation.
    var discardedBytes = 0
    /// On the monotonic clock; 0 when nothing is due.
    var dueNanoseconds: UInt64 = 0
    var due = Due.firstByte
    var violation: Violation?

    /// The request has outlived its turn; see `EventLoop.park`.
    var isParked = false
    /// libevent is still writing a reply.
    var isWriting = false
    /// Refused and answered: drained until the client closes or time is up.
    var isLingering = false
    /// The guard's own moving of bytes calls it back; it must not look.
    var isCutting = false
    /// In `EventLoop.watched`.
    var isWatched = false

    /// Borrows `bufferevent`, which belongs to the evhttp connection to be.
    init(loop: EventLoop, listener: Int32, bufferevent: OpaquePointer, limits: HTTPLimits) {
        self.loop = loop
        self.listener = listener
        unsafe self.bufferevent = bufferevent
        frames = FrameGuard(
            headBytesMax: limits.headBytesMax, bodyBytesMax: limits.bodyBytesMax)
    }

    var isOpen: Bool { unsafe evhttpConnection != nil }

    /// The loop has found its evhttp connection, though that may be closed since.
    var isAdopted: Bool { descriptor >= 0 }

    var ticket: Ticket {
        Ticket(loop: loop.index, descriptor: descriptor, number: number)
    }

    /// Neither a request nor a reply is under way.
    var isQuiet: Bool { unsafe request == nil && !isWriting }
}
