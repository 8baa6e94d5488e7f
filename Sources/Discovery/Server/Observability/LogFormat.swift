import Logging

/// How a log event becomes a line of bytes. Pure: the time is a parameter.
///
/// Text, for people: `2026-01-02T03:04:05.678Z INFO message key=value`. JSON, for collectors: one
/// object per line, with the fields in an object of their own so that no name can clash. Line
/// breaks in a message or a field are escaped in both: what a client sends cannot forge a line.
enum LogFormat {
    /// The line, its line feed included.
    static func line(
        _ format: LogSettings.Format, nanosecondsSince1970: Int64, level: Logger.Level,
        message: String, fields: [(key: String, value: String)]
    ) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(160)
        switch format {
        case .text:
            Timestamp.append(nanosecondsSince1970, to: &line)
            line.append(UInt8(ascii: " "))
            line += level.rawValue.uppercased().utf8
            line.append(UInt8(ascii: " "))
            appendEscaped(message, quotes: false, to: &line)
            for field in fields {
                line.append(UInt8(ascii: " "))
                appendEscaped(field.key, quotes: false, to: &line)
                line.append(UInt8(ascii: "="))
                appendTextValue(field.value, to: &line)
            }
        case .json:
            line += "{\"time\":\"".utf8
            Timestamp.append(nanosecondsSince1970, to: &line)
            line += "\",\"level\":\"".utf8
            line += level.rawValue.utf8
            line += "\",\"message\":".utf8
            appendQuoted(message, to: &line)
            line += ",\"fields\":{".utf8
            for (index, field) in fields.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                appendQuoted(field.key, to: &line)
                line.append(UInt8(ascii: ":"))
                appendQuoted(field.value, to: &line)
            }
            line += "}}".utf8
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    /// Quoted only where a reader could not see the end otherwise.
    private static func appendTextValue(_ value: String, to line: inout [UInt8]) {
        let plain = value.utf8.allSatisfy { byte in
            byte > UInt8(ascii: " ") && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
                && byte != UInt8(ascii: "=") && byte != 0x7f
        }
        if plain, !value.isEmpty {
            line += value.utf8
        } else {
            appendQuoted(value, to: &line)
        }
    }

    private static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        appendEscaped(text, quotes: true, to: &line)
        line.append(UInt8(ascii: "\""))
    }

    /// The escapes of JSON; quotes and backslashes only where the text stands in quotes.
    private static func appendEscaped(_ text: String, quotes: Bool, to line: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                if quotes { line.append(UInt8(ascii: "\\")) }
                line.append(byte)
            case UInt8(ascii: "\n"): line += "\\n".utf8
            case UInt8(ascii: "\r"): line += "\\r".utf8
            case UInt8(ascii: "\t"): line += "\\t".utf8
            case 0..<0x20, 0x7f:
                line += "\\u00".utf8
                line.append(hexDigit(byte >> 4))
                line.append(hexDigit(byte & 15))
            default: line.append(byte)
            }
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + (value - 10)
    }
}

/// Writes every event as one line.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let format: LogSettings.Format
    private let now: @Sendable () -> Int64
    private let write: @Sendable ([UInt8]) -> Void

    /// Tests give their own clock. `write` gets a line at a time and should not block.
    init(
        settings: LogSettings,
        now: @escaping @Sendable () -> Int64 = { Int64(clamping: Clocks.wall) },
        write: @escaping @Sendable ([UInt8]) -> Void
    ) {
        logLevel = Logger.Level(settings.level)
        format = settings.format
        self.now = now
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() {
            all.merge(provided) { _, newer in newer }
        }
        if let own = event.metadata {
            all.merge(own) { _, newer in newer }
        }
        if let error = event.error { all["error"] = "\(error)" }
        let fields = all.map { (key: $0.key, value: $0.value.description) }
            .sorted { $0.key < $1.key }
        write(
            LogFormat.line(
                format, nanosecondsSince1970: now(), level: event.level,
                message: event.message.description, fields: fields))
    }
}

extension Logger.Level {
    fileprivate init(_ level: LogSettings.Level) {
        self =
            switch level {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            case .critical: .critical
            }
    }
}
