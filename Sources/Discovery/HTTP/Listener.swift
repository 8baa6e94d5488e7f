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
    private let address: SocketAddress
    private let backlog: Int32
    /// Bound. Owned by `socket` once there is one.
    private let descriptor: Int32
    /// nil until `open`. Owned by `http`.
    private var socket: OpaquePointer?
    private var isClosed = false
    /// Goes on accepting at `HTTPLimits.connectionsMax`.
    let isReserved: Bool
    /// The port, also when 0 was asked for.
    let port: UInt16

    /// Binds; connections are refused until `open`.
    init(
        _ loop: EventLoop, position: Int, at address: SocketAddress, shared: Bool, reserved: Bool,
        backlog: Int32
    ) throws(LoopError) {
        let descriptor = try address.bind(sharesPort: shared)
        guard let port = SocketAddress.port(of: descriptor),
            let http = unsafe evhttp_new(loop.base.pointer)
        else {
            Glibc.close(descriptor)
            throw .outOfMemory
        }
        self.loop = loop
        self.address = address
        self.backlog = backlog
        self.descriptor = descriptor
        isReserved = reserved
        self.position = Int32(clamping: position)
        unsafe self.http = http
        self.port = port
        configure(loop.limits)
    }

    var isListening: Bool { unsafe socket != nil }

    /// Listens; accepts nothing before the loop runs.
    ///
    /// Not evhttp_bind_socket: its backlog is 128 and it knows no SO_REUSEPORT (http.c).
    func open() throws(LoopError) {
        SocketAddress.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        let flags = UInt32(LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC)
        guard
            let socket = unsafe evconnlistener_new(
                loop.base.pointer, nil, nil, flags, backlog, descriptor)
        else {
            let failure = address.failure(errno)
            SocketAddress.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 0)
            throw failure
        }
        unsafe self.socket = socket
        guard unsafe evhttp_bind_listener(http, socket) != nil else {
            preconditionFailure("out of memory")
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
        guard let socket = unsafe socket else { return }
        if isAccepting {
            unsafe evconnlistener_enable(socket)
        } else {
            unsafe evconnlistener_disable(socket)
        }
    }

    /// Frees the listening socket and closes every connection it accepted. Idempotent.
    func close() {
        if isClosed { return }
        isClosed = true
        if !isListening { Glibc.close(descriptor) }
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
