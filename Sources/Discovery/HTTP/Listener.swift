internal import CLibevent
internal import Glibc

/// One listening socket and the evhttp that serves it. Loop thread only.
///
/// An evhttp of its own, because a request does not tell which socket its connection came from.
@safe final class Listener {
    private let loop: EventLoop
    /// Position in `LoopConfiguration.listeners`.
    private let position: Int32
    private let http: OpaquePointer
    /// Owned by `http`.
    private let socket: OpaquePointer
    private var isOpen = true
    /// Goes on accepting at `HTTPLimits.connectionsMax`.
    let isReserved: Bool
    /// The port, also when 0 was asked for.
    let port: UInt16

    /// Binds, but accepts nothing before the loop runs.
    init(
        _ loop: EventLoop, position: Int, at address: SocketAddress, shared: Bool, reserved: Bool,
        backlog: Int32
    ) throws(LoopError) {
        var flags = UInt32(LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC)
        if shared { flags |= UInt32(LEV_OPT_REUSEABLE_PORT) }
        // Not evhttp_bind_socket: its backlog is 128 and it knows no SO_REUSEPORT (http.c).
        let bound = unsafe address.withPointer { pointer, length in
            unsafe evconnlistener_new_bind(
                loop.base.pointer, nil, nil, flags, backlog, pointer, Int32(length))
        }
        guard let socket = unsafe bound else { throw address.failure(errno) }
        let descriptor = unsafe evconnlistener_get_fd(socket)
        // Accepted sockets inherit it. Replies are written whole: waiting for an acknowledgement
        // of the one before would only delay the next of several pipelined ones.
        var on: Int32 = 1
        unsafe setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on,
            socklen_t(MemoryLayout<Int32>.size))
        guard let port = SocketAddress.port(of: descriptor),
            let http = unsafe evhttp_new(loop.base.pointer)
        else {
            unsafe evconnlistener_free(socket)
            throw .outOfMemory
        }
        self.loop = loop
        isReserved = reserved
        self.position = Int32(clamping: position)
        unsafe self.http = http
        unsafe self.socket = socket
        self.port = port
        configure(loop.limits)
        guard unsafe evhttp_bind_listener(http, socket) != nil else {
            close()
            unsafe evconnlistener_free(socket)
            throw .outOfMemory
        }
        unsafe evconnlistener_set_error_cb(socket, acceptFailed)
    }

    private func configure(_ limits: HTTPLimits) {
        // The frame guard enforces the limits. These are a second line for the day it is wrong, so
        // they leave room for what it allows: a head and trailers, counted together by evhttp.
        unsafe evhttp_set_max_headers_size(http, 2 * limits.headBytesMax + 1024)
        unsafe evhttp_set_max_body_size(http, limits.bodyBytesMax)
        unsafe evhttp_set_default_content_type(http, nil)
        // All nine, so that the client of the loop answers 405 itself, in its own words. evhttp
        // would answer 501 in HTML.
        unsafe evhttp_set_allowed_methods(http, 0x1FF)
        // Unretained is sound for both: `close` frees `http`, and freed, it calls nobody.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe evhttp_set_gencb(http, requestArrived, context)
        unsafe evhttp_set_bevcb(http, connectionAccepted, context)
    }

    func setAccepting(_ isAccepting: Bool) {
        if isAccepting {
            unsafe evconnlistener_enable(socket)
        } else {
            unsafe evconnlistener_disable(socket)
        }
    }

    /// Frees the listening socket and closes every connection it accepted. Idempotent.
    func close() {
        if !isOpen { return }
        isOpen = false
        unsafe evhttp_free(http)
    }

    deinit { close() }

    fileprivate func accepted() -> OpaquePointer? { unsafe loop.accepted(by: position) }

    fileprivate func received(_ request: OpaquePointer) {
        unsafe loop.received(request, listener: Int(position))
    }
}

/// evhttp asks for the bufferevent of a connection it is about to set up.
private func connectionAccepted(
    _: OpaquePointer?, _ context: UnsafeMutableRawPointer?
) -> OpaquePointer? {
    guard let context = unsafe context else { preconditionFailure("an accept without listener") }
    return unsafe Unmanaged<Listener>.fromOpaque(context).takeUnretainedValue().accepted()
}

private func requestArrived(_ request: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
    guard let request = unsafe request, let context = unsafe context else {
        preconditionFailure("libevent passed NULL to the request callback")
    }
    unsafe Unmanaged<Listener>.fromOpaque(context).takeUnretainedValue().received(request)
}

/// accept() failed for want of descriptors or memory. The context is evhttp's, not ours
/// (evhttp_bind_listener sets it), so the loop is found by its thread.
private func acceptFailed(_: OpaquePointer?, _: UnsafeMutableRawPointer?) {
    EventLoop.current?.acceptFailed()
}
