/// A whole reply during `LoopClient.answered`. Move-only and borrowed, so nobody can keep it.
///
/// Any status is a reply: what 404 or 503 means is the caller's to know.
package struct CallReply: ~Copyable {
    /// Of the `OutgoingCall`.
    package let id: UInt64
    package let status: Int
    private let reader: ReplyReader

    init(id: UInt64, _ reader: ReplyReader) {
        self.id = id
        status = reader.status
        self.reader = reader
    }

    /// Lends the body, empty if there is none. Chunks are already joined.
    package func withBody<Value, Failure: Error>(
        _ read: (Span<UInt8>) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try read(reader.body.span)
    }

    /// The body to keep; shares its memory with the reply.
    package var body: [UInt8] { reader.body }

    /// Lends the value of the first header of that name, in any case, without the white space
    /// around it; nil if there is none.
    package func withHeader<Value, Failure: Error>(
        _ name: StaticString, _ read: (Span<UInt8>?) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        guard let range = reader.value(of: name) else { return try read(nil) }
        return try read(reader.head.span.extracting(range))
    }
}
