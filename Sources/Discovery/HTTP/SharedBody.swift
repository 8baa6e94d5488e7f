internal import CLibevent

/// Immutable bytes of a reply: encoded once, written to any number of connections without a copy.
///
/// Sendable because `bytes` is never written after `init` and nothing hands out a mutable pointer.
@safe package final class SharedBody: Sendable {
    private nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

    package var count: Int { unsafe bytes.count }

    package convenience init(_ contents: [UInt8]) { self.init(contents[...]) }

    package init(_ contents: ArraySlice<UInt8>) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: contents.count, alignment: 1)
        unsafe copy.copyBytes(from: contents)
        unsafe bytes = UnsafeRawBufferPointer(copy)
    }

    deinit { unsafe bytes.deallocate() }

    /// Appends these bytes to `buffer` by reference; libevent retains `self` until they are sent.
    /// False when memory ran out: nothing was appended.
    func append(to buffer: OpaquePointer) -> Bool {
        if count == 0 { return true }
        let retained = unsafe Unmanaged.passRetained(self)
        let status = unsafe evbuffer_add_reference(
            buffer, bytes.baseAddress, bytes.count, bodyWritten, retained.toOpaque())
        // On failure libevent has not taken our retain, so it will not give it back.
        if status != 0 { unsafe retained.release() }
        return status == 0
    }
}

/// Called once per `append`, on the loop thread, when the last byte is written or dropped.
private func bodyWritten(_: UnsafeRawPointer?, _: Int, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { preconditionFailure("a body without its owner") }
    unsafe Unmanaged<SharedBody>.fromOpaque(context).release()
}
