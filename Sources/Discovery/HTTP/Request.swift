internal import CLibevent
internal import Glibc

package enum Method: Sendable {
    case get
    case post
    case head
    case other
}

/// A whole request during `LoopClient.received`. Move-only and borrowed, so nobody can keep it.
///
/// Loop thread only. The spans point into libevent's memory and end with their closures.
@safe package struct Request: ~Copyable {
    package let ticket: Ticket
    package let method: Method
    /// Position of the listener in `LoopConfiguration.listeners`.
    package let listener: Int
    private let request: OpaquePointer

    /// Borrows `request`; evhttp owns it.
    init(_ request: OpaquePointer, ticket: Ticket, listener: Int) {
        self.ticket = ticket
        self.listener = listener
        unsafe self.request = request
        method =
            switch unsafe evhttp_request_get_command(request) {
            case EVHTTP_REQ_GET: .get
            case EVHTTP_REQ_POST: .post
            case EVHTTP_REQ_HEAD: .head
            default: .other
            }
    }

    /// Lends the path and the query as they came: never decoded, the query without its `?`, the
    /// fragment cut off, and of an absolute URL only what follows the authority. The query is empty
    /// both when there is none and when nothing follows the `?`.
    package func withTarget<Value, Failure: Error>(
        _ read: (_ path: Span<UInt8>, _ query: Span<UInt8>) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        guard let text = unsafe evhttp_request_get_uri(request) else {
            // evhttp calls back without a URI only for requests it refuses; see `received`.
            preconditionFailure("libevent passed a request without a URI")
        }
        let bytes = unsafe UnsafeRawBufferPointer(start: text, count: strlen(text))
        let target = unsafe RequestTarget(bytes.bindMemory(to: UInt8.self).span)
        return try unsafe read(
            UnsafeBufferPointer(rebasing: bytes.bindMemory(to: UInt8.self)[target.path]).span,
            UnsafeBufferPointer(rebasing: bytes.bindMemory(to: UInt8.self)[target.query]).span)
    }

    /// Lends the body, empty if there is none. Chunks are already joined.
    package func withBody<Value, Failure: Error>(
        _ read: (Span<UInt8>) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let buffer = unsafe evhttp_request_get_input_buffer(request)
        let count = unsafe evbuffer_get_length(buffer)
        let bytes = unsafe UnsafeBufferPointer(start: evbuffer_pullup(buffer, -1), count: count)
        return try unsafe read(bytes.span)
    }

    /// Lends the value of the first header of that name, in any case, without the white space
    /// around it; nil if there is none.
    package func withHeader<Value, Failure: Error>(
        _ name: StaticString, _ read: (Span<UInt8>?) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let headers = unsafe evhttp_request_get_input_headers(request)
        let start = unsafe UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
        guard let text = unsafe evhttp_find_header(headers, start) else { return try read(nil) }
        let bytes = unsafe UnsafeRawBufferPointer(start: text, count: strlen(text))
        return try unsafe read(bytes.bindMemory(to: UInt8.self).span)
    }

    /// The client's address as a literal, without the port. Makes a `String`: not for the hot path.
    package func remoteAddress() -> String {
        var address: UnsafeMutablePointer<CChar>?
        var port: UInt16 = 0
        let connection = unsafe evhttp_request_get_connection(request)
        unsafe evhttp_connection_get_peer(connection, &address, &port)
        guard let address = unsafe address else { return "" }
        return unsafe String(cString: address)
    }
}

/// Where path and query lie within a request target that has passed the `FrameGuard`.
struct RequestTarget: Equatable {
    let path: Range<Int>
    let query: Range<Int>

    init(_ target: Span<UInt8>) {
        var start = 0
        if target.count > 0, target[0] | 0x20 == 0x68 {
            start = Self.endOfAuthority(target)
        }
        var pathEnd = start
        while pathEnd < target.count, target[pathEnd] != 0x3F, target[pathEnd] != 0x23 {
            pathEnd += 1
        }
        path = start..<pathEnd
        guard pathEnd < target.count, target[pathEnd] == 0x3F else {
            query = pathEnd..<pathEnd
            return
        }
        var queryEnd = pathEnd + 1
        while queryEnd < target.count, target[queryEnd] != 0x23 { queryEnd += 1 }
        query = pathEnd + 1..<queryEnd
    }

    /// Offset behind `http://host:port`.
    private static func endOfAuthority(_ target: Span<UInt8>) -> Int {
        var offset = 0
        var slashes = 0
        while offset < target.count {
            switch target[offset] {
            case 0x2F where slashes < 2: slashes += 1
            case 0x2F, 0x3F, 0x23: return offset
            default: break
            }
            offset += 1
        }
        return offset
    }
}
