/// What is wrong with a connection's bytes, or with their timing.
///
/// Each case is answered with `status` and one sentence, then the connection is closed, and each is
/// counted on its own in `LoopStatistics.rejections`.
package enum Violation: UInt8, Error, CaseIterable, Sendable {
    case unknownMethod
    case malformedMethod
    case malformedTarget
    case unsupportedVersion
    case malformedLineEnd
    case malformedFieldName
    case foldedField
    case malformedFieldValue
    case headTooLarge
    case missingHost
    case repeatedHost
    case malformedContentLength
    case repeatedContentLength
    case unsupportedTransferEncoding
    case lengthAndTransferEncoding
    case transferEncodingBeforeHTTP11
    case unsupportedExpectation
    case bodyNotAllowed
    case bodyTooLarge
    case malformedChunkSize
    case malformedChunkEnd
    case headNotInTime
    case bodyNotInTime

    /// The status line after the version.
    var status: String {
        switch self {
        case .unknownMethod: "405 Method Not Allowed"
        case .bodyTooLarge: "413 Content Too Large"
        default: "400 Bad Request"
        }
    }

    /// One sentence for the person who reads the answer; a limit is spelled out with its value.
    func sentence(_ limits: HTTPLimits) -> String {
        switch self {
        case .unknownMethod: "the method is not known here"
        case .malformedMethod: "the method must be a token"
        case .malformedTarget: "the request target must be a path or an http URL, without spaces"
        case .unsupportedVersion: "the version must be HTTP/1.1 or HTTP/1.0"
        case .malformedLineEnd: "a line must end with CR LF"
        case .malformedFieldName: "a header name must be a token directly followed by a colon"
        case .foldedField: "a header must not be continued on the next line"
        case .malformedFieldValue: "a header value must not contain control bytes"
        case .headTooLarge: "the request head is over \(limits.headBytesMax) bytes"
        case .missingHost: "HTTP/1.1 needs a Host header"
        case .repeatedHost: "there must be one Host header"
        case .malformedContentLength: "Content-Length must be 1 to 18 digits"
        case .repeatedContentLength: "there must be one Content-Length"
        case .unsupportedTransferEncoding: "Transfer-Encoding must be exactly chunked, once"
        case .lengthAndTransferEncoding: "Content-Length and Transfer-Encoding exclude each other"
        case .transferEncodingBeforeHTTP11: "Transfer-Encoding needs HTTP/1.1"
        case .unsupportedExpectation: "Expect must be 100-continue, once"
        case .bodyNotAllowed: "this method must not carry a body"
        case .bodyTooLarge: "the request body is over \(limits.bodyBytesMax) bytes"
        case .malformedChunkSize: "a chunk size must be 1 to 8 hexadecimal digits and nothing else"
        case .malformedChunkEnd: "a chunk must end with CR LF"
        case .headNotInTime: "request head not complete within \(limits.headSecondsMax) s"
        case .bodyNotInTime: "request body not complete within \(limits.bodySecondsMax) s"
        }
    }

    /// The whole answer, ready for the socket.
    func answer(_ limits: HTTPLimits) -> [UInt8] {
        let text = "\(status): \(sentence(limits))"
        // A 405 has to name what would be allowed (RFC 9110, 15.5.6).
        let allow = self == .unknownMethod ? "Allow: GET, HEAD, POST\r\n" : ""
        let head =
            "HTTP/1.1 \(status)\r\n\(allow)Content-Type: text/plain; charset=utf-8\r\n"
            + "Connection: close\r\nContent-Length: \(text.utf8.count)\r\n\r\n"
        return Array(head.utf8) + Array(text.utf8)
    }
}
