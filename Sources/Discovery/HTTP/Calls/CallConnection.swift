internal import CLibevent
internal import Glibc

/// One connection to an address: dialled for a call, then kept open for further ones. Loop thread
/// only. Owned by its address until it is closed.
@safe final class CallConnection {
    enum Phase {
        /// Tries one address of the host after the other.
        case dialing
        /// Sends the request and reads the reply.
        case busy
        case idle
        case closed
    }

    private unowned let address: CallAddress
    private let loop: EventLoop
    private(set) var phase = Phase.dialing
    /// Set while dialling and busy.
    private var pending: PendingCall?
    /// Still to be tried.
    private var candidates: ArraySlice<SocketAddress>
    private var bufferevent: OpaquePointer?
    private var reader = ReplyReader(headBytesMax: 0, bodyBytesMax: 0)
    /// Requests sent on this connection.
    private var sentCount = 0
    /// The end of dialling this candidate, or of being idle.
    private var limitNanoseconds: UInt64 = .max

    init(_ address: CallAddress, candidates: [SocketAddress], for pending: PendingCall) {
        self.address = address
        loop = address.pool.loop
        self.candidates = candidates[...]
        self.pending = pending
    }

    // MARK: Dialling

    /// Tries the next address that does not fail at once; the call fails when there is none.
    func dial(after reason: String = "the name has no address") {
        var reason = reason
        while let candidate = candidates.popFirst() {
            if let failure = connect(candidate) {
                reason = failure
                continue
            }
            setLimit(milliseconds: loop.limits.dialMilliseconds)
            return
        }
        fail(.unreachable(reason: reason))
    }

    /// Begins to connect. Returns why that is not possible.
    private func connect(_ candidate: SocketAddress) -> String? {
        let descriptor = candidate.openSocket()
        if descriptor < 0 { return SocketAddress.text(ofError: errno) }
        SocketAddress.setOption(descriptor, SOL_TCP, TCP_NODELAY, 1)
        let status = unsafe candidate.withPointer { unsafe Glibc.connect(descriptor, $0, $1) }
        if status != 0, errno != EINPROGRESS {
            let reason = SocketAddress.text(ofError: errno)
            Glibc.close(descriptor)
            return reason
        }
        guard
            let made = unsafe bufferevent_socket_new(
                loop.base.pointer, descriptor, Int32(BEV_OPT_CLOSE_ON_FREE.rawValue))
        else {
            Glibc.close(descriptor)
            return "out of memory"
        }
        // Unretained is sound: `hangUp` frees the bufferevent, and freed, it calls nobody; the
        // address keeps this until then.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe bufferevent_setcb(made, replyArrived, nil, connectionChanged, context)
        unsafe bufferevent_set_max_single_read(made, Self.singleReadBytesMax)
        unsafe bufferevent_set_max_single_write(made, Self.singleWriteBytesMax)
        unsafe bufferevent = made
        // Without an address it waits for the connect that has begun.
        unsafe bufferevent_socket_connect(made, nil, 0)
        return nil
    }

    private static let singleReadBytesMax = 64 * 1024
    private static let singleWriteBytesMax = 1 << 20

    private func dialFailed(_ reason: String) {
        hangUp()
        dial(after: reason)
        address.advance()
    }

    // MARK: Sending

    /// Sends the request of a call; the reply will be read into a reader of its own.
    func send(_ pending: PendingCall) {
        guard let bufferevent = unsafe bufferevent else {
            preconditionFailure("only a connected call connection can send")
        }
        assert(phase == .idle || phase == .dialing, "a call connection serves one call at a time")
        phase = .busy
        self.pending = pending
        limitNanoseconds = .max
        sentCount += 1
        reader = ReplyReader(
            headBytesMax: loop.limits.headBytesMax, bodyBytesMax: pending.call.replyBytesMax)
        let head = pending.call.head
        let output = unsafe bufferevent_get_output(bufferevent)
        for part in [head, pending.call.body] where !part.isEmpty {
            let status = unsafe part.withUnsafeBytes {
                unsafe evbuffer_add(output, $0.baseAddress, $0.count)
            }
            precondition(status == 0, "out of memory")
            loop.statistics.callBytesSent &+= part.count
        }
        unsafe bufferevent_enable(bufferevent, Int16(EV_READ | EV_WRITE))
    }

    // MARK: Receiving

    /// Reads the reply where libevent has put it, piece by piece.
    fileprivate func arrived() {
        loop.beginTurn()
        guard let bufferevent = unsafe bufferevent,
            let input = unsafe bufferevent_get_input(bufferevent)
        else { return }
        // A server that says something unasked has nothing to say: 408 and then a close, mostly.
        if phase != .busy {
            close()
            return
        }
        do throws(CallFailure) {
            while unsafe evbuffer_get_length(input) > 0, !reader.isComplete {
                unsafe try read(input)
            }
        } catch {
            fail(error)
            address.advance()
            return
        }
        if reader.isComplete {
            // What is left over would be taken for the next reply; and a server that answers
            // before it has the whole request will not read the rest.
            let output = unsafe bufferevent_get_output(bufferevent)
            let isClean = unsafe evbuffer_get_length(input) + evbuffer_get_length(output) == 0
            finish(keepsOpen: isClean && reader.keepsOpen)
        }
    }

    private func read(_ input: OpaquePointer) throws(CallFailure) {
        let count = unsafe evbuffer_get_contiguous_space(input)
        let bytes = unsafe UnsafeBufferPointer(start: evbuffer_pullup(input, count), count: count)
        let taken = unsafe try reader.read(bytes.span)
        unsafe evbuffer_drain(input, taken)
        loop.statistics.callBytesReceived &+= taken
    }

    private func finish(keepsOpen: Bool) {
        guard let pending else { preconditionFailure("a reply without a call") }
        self.pending = nil
        address.pool.succeed(pending, reader)
        reader = ReplyReader(headBytesMax: 0, bodyBytesMax: 0)
        if keepsOpen {
            phase = .idle
            setLimit(milliseconds: loop.limits.callIdleSeconds * 1000)
        } else {
            close()
        }
        address.advance()
    }

    // MARK: Ends

    fileprivate func changed(_ what: Int32, code: Int32) {
        loop.beginTurn()
        switch phase {
        case .closed: return
        case .dialing:
            if what & BEV_EVENT_CONNECTED == 0 {
                dialFailed(SocketAddress.text(ofError: code))
            } else if let pending {
                send(pending)
            }
        case .idle:
            close()
            address.hungUp()
        case .busy:
            // A server may answer and close before it has read everything: the answer is still
            // there to be read, and at the latest behind it, the end.
            if what & BEV_EVENT_WRITING == 0 { ended(isOrderly: what & BEV_EVENT_EOF != 0) }
        }
    }

    private func ended(isOrderly: Bool) {
        do throws(CallFailure) {
            guard isOrderly else { throw .closed }
            try reader.ended()
        } catch {
            // The other side closes idle connections when it likes, and has done so while the
            // request was on its way. It may have read it nevertheless: a call can arrive twice.
            if !reader.hasBegun, sentCount > 1, let pending, !pending.isRetry {
                self.pending = nil
                address.retry(pending)
                close()
            } else {
                fail(error)
            }
            address.advance()
            return
        }
        finish(keepsOpen: false)
    }

    /// Fails the call, if there is one, and closes.
    func fail(_ failure: CallFailure) {
        if let pending { address.pool.fail(pending, failure) }
        pending = nil
        close()
    }

    /// Idempotent. Takes itself out of its address.
    func close() {
        if phase == .closed { return }
        phase = .closed
        hangUp()
        address.remove(self)
    }

    private func hangUp() {
        if let bufferevent = unsafe bufferevent { unsafe bufferevent_free(bufferevent) }
        unsafe bufferevent = nil
    }

    deinit { assert(phase == .closed, "a call connection was forgotten") }

    // MARK: Time

    private func setLimit(milliseconds: Int) {
        limitNanoseconds = address.pool.deadline(afterMilliseconds: milliseconds)
        address.pool.note(dueNanoseconds: limitNanoseconds)
    }

    var dueNanoseconds: UInt64 {
        min(limitNanoseconds, pending?.deadlineNanoseconds ?? .max)
    }

    func sweep(at now: UInt64) {
        if let pending, pending.deadlineNanoseconds <= now {
            fail(.timedOut)
        } else if limitNanoseconds <= now {
            switch phase {
            case .dialing:
                dialFailed("no answer within \(loop.limits.dialMilliseconds) ms")
            case .idle: close()
            case .busy, .closed: break
            }
        }
    }
}

private func replyArrived(_: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { preconditionFailure("a reply without connection") }
    unsafe Unmanaged<CallConnection>.fromOpaque(context).takeUnretainedValue().arrived()
}

private func connectionChanged(
    _: OpaquePointer?, _ what: Int16, _ context: UnsafeMutableRawPointer?
) {
    // Before anything else can change it.
    let code = errno
    guard let context = unsafe context else { preconditionFailure("an event without connection") }
    unsafe Unmanaged<CallConnection>.fromOpaque(context).takeUnretainedValue()
        .changed(Int32(what), code: code)
}
