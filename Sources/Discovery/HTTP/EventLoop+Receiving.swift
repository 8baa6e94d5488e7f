internal import CLibevent
internal import Glibc

extension EventLoop {
    /// evbuffer_read fills at most so many pieces at a time (buffer.c, NUM_READ_IOVEC).
    private static let readPiecesMax = 4

    /// Runs between the read from the socket and evhttp's first look at the bytes: evbuffer_read
    /// calls this before bufferevent_readcb calls evhttp (libevent 2.1.12, bufferevent_sock.c).
    fileprivate func bytesArrived(_ connection: Connection, in input: OpaquePointer, count: Int) {
        beginTurn()
        if connection.isCutting { return }
        if connection.violation != nil || connection.isLingering {
            unsafe discard(connection, from: input, count: count)
            return
        }
        if !connection.isAdopted { adopt(connection) }
        let scan = unsafe scanNewest(count, of: input, into: connection)
        connection.framed &+= UInt32(scan.completed)
        if let violation = scan.violation {
            let kept = unsafe evbuffer_get_length(input) - count + scan.end
            unsafe cut(connection, input: input, keeping: kept)
            connection.violation = violation
            connection.dueNanoseconds = 0
            suspects.append(connection)
            return
        }
        notePhase(connection, hasCompleted: scan.completed > 0)
        if unsafe connection.request != nil {
            // Held while its client sends on: read ahead a little, not without bound.
            if unsafe evbuffer_get_length(input) > limits.pipelinedBytesMax {
                unsafe bufferevent_disable(connection.bufferevent, Int16(EV_READ))
            }
        }
    }

    /// Lets the guard scan the last `count` bytes of `input` where they are.
    private func scanNewest(
        _ count: Int, of input: OpaquePointer, into connection: Connection
    ) -> FrameGuard.Scan {
        var total = FrameGuard.Scan()
        var start = unsafe evbuffer_ptr()
        let skipped = unsafe evbuffer_get_length(input) - count
        if skipped > 0 {
            unsafe evbuffer_ptr_set(input, &start, skipped, EVBUFFER_PTR_SET)
        }
        unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.readPiecesMax) {
            pieces in
            let pieceCount =
                skipped > 0
                ? unsafe evbuffer_peek(
                    input, count, &start, pieces.baseAddress, Int32(Self.readPiecesMax))
                : unsafe evbuffer_peek(
                    input, count, nil, pieces.baseAddress, Int32(Self.readPiecesMax))
            precondition(Int(pieceCount) <= Self.readPiecesMax, "more pieces than a read fills")
            var offset = 0
            for index in 0..<Int(pieceCount) where total.violation == nil && offset < count {
                let length = unsafe min(pieces[index].iov_len, count - offset)
                let bytes = unsafe UnsafeRawBufferPointer(
                    start: pieces[index].iov_base, count: length)
                let scan = unsafe connection.frames.scan(bytes.bindMemory(to: UInt8.self).span)
                total.completed += scan.completed
                if scan.completed > 0 { total.end = offset + scan.end }
                total.violation = scan.violation
                offset += length
            }
        }
        return total
    }

    /// Keeps evhttp from ever seeing what follows the first `count` bytes. An evbuffer drains from
    /// its front only, so the good bytes step aside.
    private func cut(_ connection: Connection, input: OpaquePointer, keeping count: Int) {
        connection.isCutting = true
        defer { connection.isCutting = false }
        connection.discardedBytes += unsafe evbuffer_get_length(input) - count
        if count > 0 { unsafe evbuffer_remove_buffer(input, scratch, count) }
        unsafe evbuffer_drain(input, evbuffer_get_length(input))
        if count > 0 { unsafe evbuffer_add_buffer(input, scratch) }
    }

    /// Throws away what a refused client still sends; more than the limit is not even read. Good
    /// messages in front of it, not yet delivered, stay.
    private func discard(_ connection: Connection, from input: OpaquePointer, count: Int) {
        let kept = connection.isLingering ? 0 : unsafe evbuffer_get_length(input) - count
        unsafe cut(connection, input: input, keeping: kept)
        if connection.discardedBytes > limits.lingerBytesMax {
            unsafe bufferevent_disable(connection.bufferevent, Int16(EV_READ))
            suspects.append(connection)
        }
    }

    /// Starts the clock of an incomplete head or body. Free for messages that arrive whole.
    private func notePhase(_ connection: Connection, hasCompleted: Bool) {
        switch connection.frames.phase {
        case .idle: connection.dueNanoseconds = 0
        case .head:
            let isRunning = connection.dueNanoseconds != 0 && connection.due == .head
            if hasCompleted || !isRunning { setDue(connection, .head) }
        case .body:
            let isRunning = connection.dueNanoseconds != 0 && connection.due == .body
            if hasCompleted || !isRunning { setDue(connection, .body) }
        }
    }

    /// A whole request. evhttp does not call this for requests it refuses, and refuses none that
    /// the frame guard lets through.
    func received(_ request: OpaquePointer, listener: Int) {
        beginTurn()
        guard let connection = unsafe connection(of: request) else {
            // Without a guard (see `accepted`): not to be served.
            unsafe evhttp_connection_free(evhttp_request_get_connection(request))
            return
        }
        connection.received &+= 1
        assert(connection.framed &- connection.received < 1 << 31, "evhttp framed more messages")
        lastNumber &+= 1
        connection.number = lastNumber
        unsafe connection.request = request
        statistics.requestsReceived &+= 1
        turnRequests.append(connection)
        if isStopping {
            refuse(connection, Self.stoppingHead, Self.stoppingText)
            return
        }
        // A client that pipelines, answered from within `received`, would otherwise keep the turn
        // from ending, and with it everyone else's replies. libevent 2.1.12 leaves behind this
        // callback, and what else is active stays so (event.c, event_process_active_single_queue).
        if turnRequests.count >= limits.turnRequestsMax {
            unsafe event_base_loopbreak(base.pointer)
        }
        client?.received(unsafe Request(request, ticket: connection.ticket, listener: listener))
    }

    private func connection(of request: OpaquePointer) -> Connection? {
        let evhttpConnection = unsafe evhttp_request_get_connection(request)
        let bufferevent = unsafe evhttp_connection_get_bufferevent(evhttpConnection)
        let descriptor = Int(unsafe bufferevent_getfd(bufferevent))
        guard connections.indices.contains(descriptor) else { return nil }
        return connections[descriptor]
    }
}

/// Registered with every input buffer. Draining calls it too, with nothing added.
func inputChanged(
    _ input: OpaquePointer?, _ change: UnsafePointer<evbuffer_cb_info>?,
    _ context: UnsafeMutableRawPointer?
) {
    guard let input = unsafe input, let change = unsafe change, let context = unsafe context else {
        preconditionFailure("libevent passed NULL to a buffer callback")
    }
    let added = unsafe change.pointee.n_added
    if added == 0 { return }
    let connection = unsafe Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
    unsafe connection.loop.bytesArrived(connection, in: input, count: added)
}
