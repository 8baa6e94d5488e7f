import Logging
import Synchronization
import Testing

@testable import Discovery

@Suite struct LogFormatTests {
    /// 2026-01-02T03:04:05.678Z
    static let moment: Int64 = 1_767_323_045_678_901_234

    static func line(
        _ format: LogSettings.Format, _ message: String, _ fields: [(key: String, value: String)]
    ) -> String {
        String(
            decoding: LogFormat.line(
                format, nanosecondsSince1970: moment, level: .info, message: message,
                fields: fields), as: UTF8.self)
    }

    @Test func `text lines are for people`() {
        #expect(
            Self.line(.text, "node started", [("listen", "127.0.0.1:7171"), ("zone", "sh001")])
                == "2026-01-02T03:04:05.678Z INFO node started listen=127.0.0.1:7171 zone=sh001\n")
        #expect(
            Self.line(.text, "x", [("a", ""), ("b", "two words"), ("c", "q\"\\="), ("d", "ä")])
                == #"2026-01-02T03:04:05.678Z INFO x a="" b="two words" c="q\"\\=" d=ä"# + "\n")
    }

    @Test func `json lines are one object each`() {
        #expect(
            Self.line(.json, "node started", [("listen", "127.0.0.1:7171"), ("time", "x\"\\")])
                == #"{"time":"2026-01-02T03:04:05.678Z","level":"info","message":"node started","#
                + #""fields":{"listen":"127.0.0.1:7171","time":"x\"\\"}}"# + "\n")
        #expect(Self.line(.json, "x", []).hasSuffix(#""message":"x","fields":{}}"# + "\n"))
    }

    @Test(arguments: [LogSettings.Format.text, .json])
    func `what a client sends cannot forge a line`(_ format: LogSettings.Format) {
        let line = Self.line(format, "a\nb\r\t\u{1b}", [("k\n", "v\n\u{0}\u{7f}")])
        #expect(line.utf8.filter { $0 < 0x20 || $0 == 0x7f }.elementsEqual([10]))
        #expect(line.contains(#"a\nb\r\t\u001b"#))
        #expect(line.contains(#"v\n\u0000\u007f"#))
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-5, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (9_223_372_036_854, "2262-04-11T23:47:16.854Z"),
        ] as [(Int64, String)])
    func `moments are written in UTC`(_ row: (Int64, String)) {
        var bytes: [UInt8] = []
        Timestamp.append(row.0 * 1_000_000, to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == row.1)
    }

    private final class Sink: Sendable {
        let text = Mutex("")

        func append(_ bytes: [UInt8]) {
            text.withLock { $0 += String(decoding: bytes, as: UTF8.self) }
        }
    }

    @Test func `a logger merges its fields and keeps to its level`() {
        let sink = Sink()
        var settings = LogSettings()
        settings.level = .notice
        var handler = LineLogHandler(
            settings: settings, now: { Self.moment }, write: { sink.append($0) })
        handler.metadata = ["node": "a", "x": "1"]
        let logger = Logger(label: "test", factory: { [handler] _ in handler })
        logger.info("not written")
        logger.warning("written", metadata: ["x": "2", "list": ["p", "q"]])
        #expect(
            sink.text.withLock { $0 }
                == "2026-01-02T03:04:05.678Z WARNING written list=\"[\\\"p\\\", \\\"q\\\"]\""
                + " node=a x=2\n")
    }
}
