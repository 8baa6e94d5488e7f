internal import DiscoveryCore
internal import DiscoveryHTTP

/// The pages of the admin listener: for the operator, never on the public port. On the loop's
/// thread.
struct AdminPages: Sendable {
    let metrics: MetricsPage
    let queue: NodeQueue

    private static let text = ReplyHead(
        status: 200, reason: "OK", contentType: "text/plain; charset=utf-8")
    private static let prometheus = ReplyHead(
        status: 200, reason: "OK", contentType: PrometheusText.contentType)
    private static let notFound = ReplyHead(
        status: 404, reason: "Not Found", contentType: "text/plain; charset=utf-8")
    private static let wrongMethod = ReplyHead(
        status: 405, reason: "Method Not Allowed", contentType: "text/plain; charset=utf-8",
        headers: [(name: "Allow", value: "GET, HEAD")])
    private static let notReady = ReplyHead(
        status: 503, reason: "Service Unavailable", contentType: "text/plain; charset=utf-8")

    private enum Page: String, CaseIterable {
        case metrics = "/metrics"
        case live = "/livez"
        case ready = "/readyz"
    }

    func answer(_ request: borrowing Request, on loop: EventLoop) {
        guard request.method == .get || request.method == .head else {
            reply(request, "Method Not Allowed\n", AdminPages.wrongMethod, loop)
            return
        }
        let path = request.withTarget { path, _ in String(decoding: path.copied, as: UTF8.self) }
        switch Page(rawValue: path) {
        case .metrics: reply(request, metrics.text, AdminPages.prometheus, loop)
        case .live: reply(request, "ok\n", AdminPages.text, loop)
        case .ready: answerReady(request, loop)
        case nil:
            let pages = Page.allCases.map(\.rawValue).joined(separator: " ")
            reply(request, "no such page; there are \(pages)\n", AdminPages.notFound, loop)
        }
    }

    private func answerReady(_ request: borrowing Request, _ loop: EventLoop) {
        let report = queue.report(at: Clocks.now)
        if report.isDraining {
            reply(request, "not ready: about to stop\n", AdminPages.notReady, loop)
        } else if report.isJoining {
            reply(
                request, "not ready: asking the other nodes what they hold\n",
                AdminPages.notReady, loop)
        } else if report.isProtectedAtStart {
            reply(
                request, "not ready: started a moment ago, reads are refused\n",
                AdminPages.notReady, loop)
        } else {
            reply(request, "ok\n", AdminPages.text, loop)
        }
    }

    private func reply(
        _ request: borrowing Request, _ text: String, _ head: ReplyHead, _ loop: EventLoop
    ) {
        loop.reply(request.ticket, head, SharedBody(Array(text.utf8)))
    }
}
