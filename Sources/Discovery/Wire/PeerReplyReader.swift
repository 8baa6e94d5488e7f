package import DiscoveryCore

/// Reads what other nodes answer: JSON as the reference writes it, or the bytes of an exchange. Of
/// what is neither it gives a sentence for the log.
package enum PeerReplyReader {
    /// What was asked, as far as the answer depends on it.
    package enum Question: CaseIterable, Sendable {
        case probe, fetchAll, write, exchange

        package init(_ request: PeerRequest) {
            switch request {
            case .probe: self = .probe
            case .fetchAll: self = .fetchAll
            case .relay, .set: self = .write
            case .exchange: self = .exchange
            }
        }
    }

    /// `now` is the wall time, nanoseconds, that the renewals in a fetch/all are held against: the
    /// other node's, from its Date header, as far as it is known.
    package static func read(
        _ question: Question, status: Int, contentType: Span<UInt8>?, body: Span<UInt8>,
        now: Int64, limits: WireLimits = WireLimits()
    ) -> PeerReply.Outcome {
        guard status == 200 else { return outcome(ofStatus: status) }
        do {
            switch question {
            case .probe, .write: return try answer(body, limits)
            case .fetchAll: return try all(body, now, limits)
            case .exchange: return try exchanged(contentType, body, limits)
            }
        } catch {
            return .failed(error.message)
        }
    }

    /// 400 and 413 are about the request, those from 500 on about either.
    private static func outcome(ofStatus status: Int) -> PeerReply.Outcome {
        let sentence = "answered with HTTP status \(status)"
        if status == 400 || status == 413 { return .refused(sentence) }
        return status >= 500 ? .unable(sentence) : .failed(sentence)
    }

    private static func answer(
        _ body: Span<UInt8>, _ limits: WireLimits
    ) throws(Rejection) -> PeerReply.Outcome {
        let answer = try decode(PeerJSON.Answer.self, body, limits.jsonBytesMax)
        if answer.code == Refusal.forbidden.rawValue { return .forbidden(sentence(answer)) }
        return .answered(code: answer.code, answer.instance?.record(at: nil, limits))
    }

    private static func all(
        _ body: Span<UInt8>, _ now: Int64, _ limits: WireLimits
    ) throws(Rejection) -> PeerReply.Outcome {
        let answer = try decode(PeerJSON.All.self, body, limits.fetchAllBytesMax)
        guard answer.code == 0 else {
            return .answered(code: answer.code, nil)
        }
        guard let apps = answer.apps else { throw Rejection("answered without data") }
        var records: [Record] = []
        var skipped = 0
        for instance in apps.joined() {
            if let record = instance.value?.record(at: now, limits) {
                records.append(record)
            } else {
                skipped += 1
            }
        }
        return .all(records, skipped: skipped)
    }

    /// The bytes of an exchange, or why there are none: in JSON, as every refusal.
    private static func exchanged(
        _ contentType: Span<UInt8>?, _ body: Span<UInt8>, _ limits: WireLimits
    ) throws(Rejection) -> PeerReply.Outcome {
        if let contentType, BodyType.names(contentType, PeerRequestWriter.exchangeType) {
            return .exchanged(try ExchangeReader.reply(body, limits))
        }
        let answer = try decode(PeerJSON.Answer.self, body, limits.jsonBytesMax)
        let sentence = sentence(answer)
        return switch Refusal(rawValue: answer.code) {
        case .invalid: .refused(sentence)
        case .forbidden: .forbidden(sentence)
        case .protected, .overloaded: .unable(sentence)
        case nil: .failed(sentence)
        }
    }

    private static func sentence(_ answer: PeerJSON.Answer) -> String {
        let (code, message) = (answer.code, answer.message)
        if message.isEmpty || message == "\(code)" { return "answered code \(code)" }
        let quoted = Message.quote(Array(message.utf8).span, bytesMax: 256)
        return "answered code \(code): \(quoted)"
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ body: Span<UInt8>, _ bytesMax: Int
    ) throws(Rejection) -> Value {
        guard body.count <= bytesMax else {
            throw Rejection("the answer may have at most \(bytesMax) bytes, got \(body.count)")
        }
        return try JSONReader.decode(type, body, "the answer")
    }
}
