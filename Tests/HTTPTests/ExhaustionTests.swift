import Glibc
import Testing

@testable import DiscoveryHTTP

private let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

@Suite struct `Running out of descriptors` {
    // In a process of its own: the limit would hit every other test.
    @Test func `accepting pauses instead of spinning, and goes on when there are some again`() async
    {
        await #expect(processExitsWith: .success) {
            let server = try TestServer()
            let open = server.connect()
            #expect(open.sendAndReceive(get)?.status == 200)

            let free = dup(0)
            close(free)
            var limit = rlimit()
            unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let before = limit.rlim_cur
            // Room for the client's own descriptor, none for the server's end of it.
            limit.rlim_cur = rlim_t(free) + 1
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)

            let late = server.connect()
            late.send(get)
            let paused = server.statistics { $0.pausesWithoutDescriptors > 0 }
            #expect(paused.pausesWithoutDescriptors > 0)
            #expect(!late.isReadable(within: 500))
            let later = server.statistics { $0.turns > paused.turns }
            #expect(later.turns - paused.turns < 50)
            #expect(open.sendAndReceive(get)?.status == 200)

            limit.rlim_cur = before
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            #expect(late.receiveReply()?.status == 200)
        }
    }
}

@Suite struct `The words of libevent` {
    // In a process of its own: libevent has one log.
    @Test func `a warning reaches the sink`() async {
        await #expect(processExitsWith: .success) {
            let events = EventLog()
            LibeventLog.redirect { severity, text in
                events.add(.received(Ticket(rawValue: 0), "\(severity): \(text)"))
            }
            let base = try EventBase(idleSeconds: 1, writeSeconds: 1)
            // libevent keeps 256 queues of equal timeouts and warns at the next one.
            for seconds in 1...257 {
                _ = unsafe EventBase.commonTimeout(base.pointer, seconds)
            }
            guard case .received(_, let text) = events.next() else {
                Issue.record("nothing was logged")
                return
            }
            #expect(text.hasPrefix("warning: "))
            #expect(text.contains("Too many common timeouts"))
        }
    }
}

@Suite struct `The head of a reply` {
    @Test(arguments: [0, 951_782_399, 951_782_400, 784_111_777, 4_102_444_799])
    func `the date is the one the C library formats`(_ second: Int) {
        var time = second
        var parts = unsafe tm()
        unsafe gmtime_r(&time, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = unsafe strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        let expected = text.prefix(count).map { UInt8(bitPattern: $0) }
        #expect(DateText.bytes(Int64(second)) == expected)
    }

    @Test func `a head that would break the reply traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = ReplyHead(status: 200, reason: "OK", contentType: "text/plain\r\nX: y")
        }
        await #expect(processExitsWith: .failure) {
            _ = ReplyHead(status: 100, reason: "Continue", contentType: "text/plain")
        }
        await #expect(processExitsWith: .failure) {
            _ = ReplyHead(status: 204, reason: "No Content", contentType: "text/plain")
        }
    }
}
