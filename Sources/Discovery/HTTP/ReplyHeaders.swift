internal import CLibevent
internal import Glibc

/// Lends the headers of one reply at a time to evhttp without an allocation.
///
/// `evhttp_add_header` allocates three times per header, and evhttp formats a Date of its own when
/// it finds none. Instead, three nodes that live as long as the loop are hooked into the request's
/// list while evhttp prints it, and unhooked before evhttp could free them. Loop thread only.
///
/// libevent 2.1.12, http.c: `evhttp_make_header` prints key and value as they are, so one node may
/// carry several header lines; it looks for the keys Date and Content-Length before adding its own.
@safe final class ReplyHeaders {
    private static let nodeCount = 3
    private static let lengthBytesMax = 24

    private let nodes: UnsafeMutablePointer<evkeyval>
    private let contentType: UnsafeMutablePointer<CChar>
    private let dateName: UnsafeMutablePointer<CChar>
    private let lengthName: UnsafeMutablePointer<CChar>
    private let dateText: UnsafeMutablePointer<CChar>
    private let lengthText: UnsafeMutablePointer<CChar>
    /// The second `dateText` was written for.
    private var dateSecond: Int64 = -1

    init() {
        unsafe nodes = .allocate(capacity: Self.nodeCount)
        unsafe nodes.initialize(repeating: evkeyval(), count: Self.nodeCount)
        unsafe contentType = Self.copy("Content-Type")
        unsafe dateName = Self.copy("Date")
        unsafe lengthName = Self.copy("Content-Length")
        unsafe dateText = .allocate(capacity: DateText.count + 1)
        unsafe dateText.initialize(repeating: 0, count: DateText.count + 1)
        unsafe lengthText = .allocate(capacity: Self.lengthBytesMax)
        unsafe lengthText.initialize(repeating: 0, count: Self.lengthBytesMax)
        unsafe nodes[0].key = contentType
        unsafe nodes[1].key = dateName
        unsafe nodes[1].value = dateText
        unsafe nodes[2].key = lengthName
        unsafe nodes[2].value = lengthText
    }

    deinit {
        unsafe nodes.deallocate()
        unsafe free(contentType)
        unsafe free(dateName)
        unsafe free(lengthName)
        unsafe dateText.deallocate()
        unsafe lengthText.deallocate()
    }

    /// Hooks the headers into `request`, whose list is still empty. Always paired with `detach`.
    func attach(
        to request: OpaquePointer, head: ReplyHead, byteCount: Int, wallNanoseconds: UInt64
    ) {
        writeDate(Int64(wallNanoseconds / 1_000_000_000))
        writeLength(byteCount)
        unsafe nodes[0].value = head.fields
        guard let list = unsafe evhttp_request_get_output_headers(request) else { return }
        unsafe list.pointee.tqh_first = nodes
        unsafe nodes[0].next.tqe_prev = Self.slot(list)
        for index in 1..<Self.nodeCount {
            unsafe nodes[index - 1].next.tqe_next = nodes + index
            unsafe nodes[index].next.tqe_prev = Self.slot(nodes + index - 1)
        }
        unsafe nodes[Self.nodeCount - 1].next.tqe_next = nil
        unsafe list.pointee.tqh_last = Self.slot(nodes + Self.nodeCount - 1)
        if head.closes { unsafe evhttp_add_header(list, "Connection", "close") }
    }

    /// Unhooks them again; what evhttp has added behind them stays and belongs to it.
    func detach(from request: OpaquePointer) {
        guard let list = unsafe evhttp_request_get_output_headers(request) else { return }
        let rest = unsafe nodes[Self.nodeCount - 1].next.tqe_next
        unsafe list.pointee.tqh_first = rest
        if let rest = unsafe rest {
            unsafe rest.pointee.next.tqe_prev = Self.slot(list)
        } else {
            unsafe list.pointee.tqh_last = Self.slot(list)
        }
    }

    /// The address of a node's `next.tqe_next`, or of a list's `tqh_first`: each is the first
    /// field.
    private static func slot(
        _ pointer: UnsafeMutableRawPointer
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<evkeyval>?> {
        unsafe pointer.assumingMemoryBound(to: UnsafeMutablePointer<evkeyval>?.self)
    }

    /// Formats the date once per second.
    private func writeDate(_ second: Int64) {
        if second == dateSecond { return }
        dateSecond = second
        for (index, byte) in DateText.bytes(second).enumerated() {
            unsafe dateText[index] = CChar(bitPattern: byte)
        }
    }

    private func writeLength(_ count: Int) {
        var rest = UInt(clamping: count)
        var digits = 1
        var power: UInt = 10
        while digits < 19, rest >= power {
            digits += 1
            power *= 10
        }
        unsafe lengthText[digits] = 0
        for index in (0..<digits).reversed() {
            unsafe lengthText[index] = CChar(bitPattern: 0x30 + UInt8(rest % 10))
            rest /= 10
        }
    }

    private static func copy(_ text: String) -> UnsafeMutablePointer<CChar> {
        guard let copy = unsafe strdup(text) else { preconditionFailure("out of memory") }
        return unsafe copy
    }
}
