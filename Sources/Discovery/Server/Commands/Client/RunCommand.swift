internal import ArgumentParser
import Glibc

/// `discovery run … -- PROGRAM ARGS`: registers a program that knows nothing of the registry.
struct RunCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a program, registered for as long as it lives.",
        discussion: """
            Starts the program, waits until its port accepts connections, registers it and renews \
            it. When the program ends, it is cancelled at once, and the exit code is the \
            program's. On SIGTERM, SIGINT and SIGQUIT its status is set to waiting, so that \
            consumers leave it; after --drain, or at a second signal, it is cancelled and gets the \
            signal itself. A registry that does not answer delays that by two seconds for each \
            node, and two more. Ctrl-C reaches the program directly, and it is cancelled at once. \
            SIGHUP, SIGUSR1 and SIGUSR2 are passed on.

            EXAMPLE
              $ discovery run --appid demo.hello --env dev --zone sh001 \\
                  --addr http://10.0.0.1:8080 -- python3 -m http.server 8080

            EXIT CODES
              those of the program; 128 and the signal that ended it; 4 if it cannot be started or \
            a setting is wrong; 64 usage
            """)

    @OptionGroup var instance: InstanceOptions

    @Option(
        help: ArgumentHelp(
            "Address with its scheme; repeat it for each. The first one's port is waited for.",
            valueName: "http://host:port"))
    var addr: [String]

    @Option(help: ArgumentHelp("Version of the program.", valueName: "text"))
    var version = ""

    @Option(help: ArgumentHelp("Metadata; repeat it for each.", valueName: "key=value"))
    var meta: [Pair] = []

    @Option(
        help: ArgumentHelp(
            "How long consumers have to leave before the program is stopped, up to 600000.",
            valueName: "milliseconds"))
    var drain = 1000

    @Option(
        help: ArgumentHelp(
            "Nodes to register at, comma-joined. Default: DISCOVERY_SERVER, else 127.0.0.1:7171.",
            valueName: "host:port"))
    var server: String?

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp("The program and its arguments, behind --.", valueName: "program"))
    var program: [String]

    func validate() throws {
        if program.isEmpty { throw ValidationError("a program is needed, behind --") }
        guard (0...600_000).contains(drain) else {
            throw ValidationError("--drain: allowed is a whole number from 0 to 600000")
        }
    }

    func carryOut() throws(CommandFailure) {
        // Before the first thread starts: all of them leave these signals to this one.
        let signals = SignalQueue()
        let registration = try Registered(self, try NodeCaller(try ServerOptions.nodes(server)))
        let child = try ChildProgram(program)
        registration.begin()
        let code = follow(child, registration, signals)
        registration.cancel(within: registration.answerSeconds)
        if code != 0 { throw .ended(code) }
    }

    /// Who goes on after Ctrl-C for so long does not want to end.
    private static let surviveNanoseconds: UInt64 = 10_000_000_000

    /// Until the child has ended; its exit code.
    private func follow(
        _ child: ChildProgram, _ registration: Registered, _ signals: SignalQueue
    ) -> Int32 {
        var isLeaving = false
        /// When it is said that the program goes on though it is no longer registered.
        var survivesAt: UInt64?
        while true {
            let signal = signals.next(before: survivesAt)
            if let code = child.reap() { return code }
            guard let signal else {
                if let time = survivesAt, Clocks.monotonic >= time {
                    survivesAt = nil
                    StandardStream.error.write(
                        line: "discovery run: the program goes on, and is not renewed any more")
                }
                continue
            }
            switch signal.number {
            case SIGTERM, SIGINT, SIGQUIT:
                if isLeaving {
                    if !signal.isFromTerminal { kill(child.id, signal.number) }
                    continue
                }
                isLeaving = true
                if signal.isFromTerminal {
                    // The program is about to end already.
                    registration.beginCancel()
                    survivesAt = Clocks.monotonic + RunCommand.surviveNanoseconds
                    continue
                }
                if let code = drain(child, registration, signals) { return code }
                registration.cancel(within: registration.answerSeconds)
                kill(child.id, signal.number)
            default: passOn(signal, to: child)
            }
        }
    }

    private func passOn(_ signal: SignalQueue.Signal, to child: ChildProgram) {
        // A terminal that hangs up tells the leader of its session only, which may be this program.
        if [SIGHUP, SIGUSR1, SIGUSR2].contains(signal.number) { kill(child.id, signal.number) }
    }

    /// Lets consumers leave. The exit code if the child ends meanwhile.
    private func drain(
        _ child: ChildProgram, _ registration: Registered, _ signals: SignalQueue
    ) -> Int32? {
        // Where the registry has not heard of it there is nobody to wait for.
        guard registration.setWaiting(within: registration.answerSeconds) else { return nil }
        let end = Clocks.monotonic + UInt64(drain) * 1_000_000
        while let signal = signals.next(before: end) {
            if let code = child.reap() { return code }
            if [SIGTERM, SIGINT, SIGQUIT].contains(signal.number) { return nil }
            passOn(signal, to: child)
        }
        return child.reap()
    }
}
