internal import CLibevent
internal import Glibc

extension EventLoop {
    // MARK: Replying

    /// Answers with a copy of `bytes`. A stale ticket, or one of another loop, is counted and
    /// otherwise ignored. Loop thread only; allowed from every call of the client.
    package func reply(_ ticket: Ticket, _ head: ReplyHead, _ bytes: Span<UInt8>) {
        guard let connection = take(ticket) else { return }
        unsafe answer(connection, head, byteCount: bytes.count) { output in
            unsafe bytes.withUnsafeBytes {
                unsafe evbuffer_add(output, $0.baseAddress, $0.count) == 0
            }
        }
    }

    /// Answers with `body` by reference: nothing is copied, however many receive it.
    package func reply(_ ticket: Ticket, _ head: ReplyHead, _ body: SharedBody) {
        guard let connection = take(ticket) else { return }
        unsafe answer(connection, head, byteCount: body.count) { unsafe body.append(to: $0) }
    }

    /// The connection whose unanswered request the ticket names; counts the ticket if there is
    /// none.
    private func take(_ ticket: Ticket) -> Connection? {
        preconditionOnLoop()
        let connection = connection(of: ticket)
        if connection == nil { statistics.staleReplies &+= 1 }
        return connection
    }

    /// Whether the ticket names an unanswered request of this loop.
    func holds(_ ticket: Ticket) -> Bool { connection(of: ticket) != nil }

    private func connection(of ticket: Ticket) -> Connection? {
        guard ticket.loop == index, connections.indices.contains(ticket.descriptor),
            let connection = connections[ticket.descriptor], connection.number == ticket.number,
            unsafe connection.request != nil
        else { return nil }
        return connection
    }

    /// Answers in the loop's own words.
    func refuse(_ connection: Connection, _ head: ReplyHead, _ body: SharedBody) {
        unsafe answer(connection, head, byteCount: body.count) { unsafe body.append(to: $0) }
    }

    /// Writes the head through evhttp and the body behind it, at once if the socket takes them.
    ///
    /// The body goes straight into the output buffer: evhttp would move it there through a buffer
    /// of its own. It knows nothing of it then, so Content-Length is ours too. `addBody` returns
    /// false when memory ran out; the promised length cannot be kept then, so the connection is
    /// closed.
    private func answer(
        _ connection: Connection, _ head: ReplyHead, byteCount: Int,
        addBody: (OpaquePointer) -> Bool
    ) {
        guard let request = unsafe connection.request else { return }
        unsafe connection.request = nil
        unpark(connection)
        let isHead = unsafe evhttp_request_get_command(request) == EVHTTP_REQ_HEAD
        unsafe replyHeaders.attach(
            to: request, head: head, byteCount: byteCount, wallNanoseconds: wallNanoseconds)
        unsafe evhttp_send_reply(request, Int32(head.status), head.reason, nil)
        unsafe replyHeaders.detach(from: request)
        statistics.repliesByClass.increment(head.status / 100)

        guard let output = unsafe bufferevent_get_output(connection.bufferevent),
            unsafe isHead || addBody(output)
        else {
            close(connection)
            return
        }
        unsafe flush(connection, request)
    }

    /// Tries to write everything now instead of waiting for epoll to report the socket writable.
    ///
    /// libevent 2.1.12: the output's front is frozen except while bufferevent_writecb writes, so it
    /// is thawed here in the same way (bufferevent_sock.c). Once it is empty,
    /// bufferevent_trigger calls evhttp_write_cb directly, since the bufferevent does not defer its
    /// callbacks, and holds a reference meanwhile (bufferevent.c): evhttp frees the request and
    /// reads on, or closes the connection, within this call. A failed write is left to libevent,
    /// which meets it again on its own path.
    private func flush(_ connection: Connection, _ request: OpaquePointer) {
        let bufferevent = unsafe connection.bufferevent
        guard let output = unsafe bufferevent_get_output(bufferevent) else { return }
        unsafe evbuffer_unfreeze(output, 1)
        unsafe evbuffer_write(output, connection.descriptor)
        unsafe evbuffer_freeze(output, 1)
        if unsafe evbuffer_get_length(output) == 0 {
            unsafe bufferevent_trigger(bufferevent, Int16(EV_WRITE), 0)
            if connection.violation != nil { suspects.append(connection) }
            return
        }
        statistics.slowReplies &+= 1
        connection.isWriting = true
        // Unretained is sound: the request ends with the connection at the latest.
        let context = unsafe Unmanaged.passUnretained(connection).toOpaque()
        unsafe evhttp_request_set_on_complete_cb(request, lastByteWritten, context)
        // evhttp_write_buffer turns reading on while it writes (http.c), without any bound on what
        // a client that does not read can make us buffer. It is on again after the reply.
        unsafe bufferevent_disable(bufferevent, Int16(EV_READ))
    }

    /// The last byte of a slow reply has left. evhttp is in the middle of its work: only notes.
    fileprivate func replyWritten(_ connection: Connection) {
        beginTurn()
        connection.isWriting = false
        if connection.violation != nil { suspects.append(connection) }
    }

    // MARK: Parking

    /// Holds on to the requests of this turn that are still unanswered.
    func parkTurnRequests() {
        for connection in turnRequests where unsafe connection.request != nil {
            if connection.isParked { continue }
            if statistics.parked < limits.parkedMax {
                park(connection)
            } else {
                statistics.parkedOverMax += 1
                departed.append(connection.ticket)
                refuse(connection, Self.tooManyHead, Self.tooManyText)
            }
        }
        turnRequests.removeAll(keepingCapacity: true)
    }

    /// Makes an unanswered request cheap to hold, and notices when its client leaves.
    ///
    /// evhttp 2.1.12 turns reading off until the reply is out (http.c, evhttp_handle_request), and
    /// so sees no hang-up. Reading is turned on again here, with no read callback: in the state in
    /// which the request waits, evhttp_read_cb would end the process. This is how evhttp itself
    /// listens for a close while it writes (evhttp_write_buffer), and the reply sets the callbacks
    /// anew. An end of file or an error then takes evhttp's own path: it detaches the request and
    /// frees the connection. A client that closes only its sending side counts as gone.
    ///
    /// A separate EV_CLOSED event would cost 144 bytes and two epoll_ctl per request, and spins: a
    /// reset is reported as EPOLLERR, which epoll_dispatch turns into EV_READ and EV_WRITE only
    /// (epoll.c), so the event would not run and epoll would report it for ever.
    private func park(_ connection: Connection) {
        guard let request = unsafe connection.request else { return }
        connection.isParked = true
        statistics.parked += 1
        statistics.parkedTotal &+= 1
        let bufferevent = unsafe connection.bufferevent
        var written: bufferevent_data_cb?
        var failed: bufferevent_event_cb?
        var context: UnsafeMutableRawPointer?
        unsafe bufferevent_getcb(bufferevent, nil, &written, &failed, &context)
        unsafe bufferevent_setcb(bufferevent, nil, written, failed, context)
        // The client waits for us: its silence is no reason to close.
        unsafe bufferevent_set_timeouts(bufferevent, nil, base.writeTimeout)
        // To find the end of a stream, libevent 2.1.12 makes room for 4096 bytes first (buffer.c,
        // evbuffer_read); ten thousand clients that leave at once would cost 80 MB for a moment.
        unsafe bufferevent_set_max_single_read(bufferevent, Self.heldReadBytesMax)
        if unsafe evbuffer_get_length(bufferevent_get_input(bufferevent))
            <= limits.pipelinedBytesMax
        {
            unsafe bufferevent_enable(bufferevent, Int16(EV_READ))
        }
        unsafe dropHeaders(of: request)
    }

    /// Bytes read at once from a client that waits for its answer: it has nothing to say.
    private static let heldReadBytesMax = 256

    /// Ends the special treatment of a held request, before it is answered or after it has gone.
    func unpark(_ connection: Connection) {
        if !connection.isParked { return }
        connection.isParked = false
        statistics.parked -= 1
        if connection.isOpen {
            unsafe bufferevent_set_timeouts(
                connection.bufferevent, base.idleTimeout, base.writeTimeout)
            // 0: libevent's own default again.
            unsafe bufferevent_set_max_single_read(connection.bufferevent, 0)
        }
    }

    /// Frees what evhttp will not look at again: of the headers all but the
    /// first Connection, which decides
    /// whether the connection is kept (http.c, evhttp_send_done), and the body.
    private func dropHeaders(of request: OpaquePointer) {
        let body = unsafe evhttp_request_get_input_buffer(request)
        unsafe evbuffer_drain(body, evbuffer_get_length(body))
        guard let headers = unsafe evhttp_request_get_input_headers(request) else { return }
        let kept = unsafe evhttp_find_header(headers, "Connection").map { unsafe strdup($0) }
        unsafe evhttp_clear_headers(headers)
        guard let value = unsafe kept else { return }
        unsafe evhttp_add_header(headers, "Connection", value)
        unsafe free(value)
    }

    private static let tooManyHead = ReplyHead(
        status: 503, reason: "Service Unavailable", contentType: "text/plain; charset=utf-8",
        closes: true)
    private static let tooManyText = SharedBody(
        Array("503 Service Unavailable: too many requests are being held".utf8))
    static let stoppingHead = tooManyHead
    static let stoppingText = SharedBody(
        Array("503 Service Unavailable: the server is stopping".utf8))
}

private func lastByteWritten(_: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { preconditionFailure("a reply without connection") }
    let connection = unsafe Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
    connection.loop.replyWritten(connection)
}
