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
            program's. On SIGTERM and SIGINT its status is set to waiting, so that consumers leave \
            it; after --drain it is cancelled and gets the signal itself.

            EXAMPLE
              $ discovery run --appid demo.hello --env dev --zone sh001 \\
                  --addr http://10.0.0.1:8080 -- python3 -m http.server 8080

            EXIT CODES
              those of the program; 128 and the signal that ended it; 4 if it cannot be started
            """)

    @OptionGroup var instance: InstanceOptions

    @Option(
        help: ArgumentHelp(
            "Address with its scheme; repeat it for each.", valueName: "http://host:port"))
    var addr: [String]

    @Option(help: ArgumentHelp("Version of the program.", valueName: "text"))
    var version = ""

    @Option(help: ArgumentHelp("Metadata; repeat it for each.", valueName: "key=value"))
    var meta: [Pair] = []

    @Option(
        help: ArgumentHelp(
            "How long consumers have to leave before the program is stopped.",
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

    /// As all clients in the field; the lease is three times as long.
    private static let renewSeconds = 30
    private static let portPollMilliseconds = 100
    private static let retryMilliseconds = 1000

    func validate() throws {
        if program.isEmpty { throw ValidationError("a program is needed, behind --") }
    }

    func carryOut() throws(CommandFailure) {
        // Blocked in every thread that starts from here on; taken one by one below.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGCHLD] { unsafe sigaddset(&signals, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        let caller = try NodeCaller(try ServerOptions.nodes(server))
        let registration = try Registered(self, caller)
        let child = try ChildProgram(program)
        let code = follow(child, registration, signals)
        registration.cancel()
        if code != 0 { throw .ended(code) }
    }

    /// Until the child has ended; its exit code.
    private func follow(
        _ child: ChildProgram, _ registration: Registered, _ signals: sigset_t
    ) -> Int32 {
        var isRegistered = false
        var pause = RunCommand.portPollMilliseconds
        var signals = signals
        while true {
            var time = timespec(tv_sec: pause / 1000, tv_nsec: pause % 1000 * 1_000_000)
            let signal = unsafe sigtimedwait(&signals, nil, &time)
            if let code = child.endingIfAny() { return code }
            if signal == SIGTERM || signal == SIGINT {
                if isRegistered {
                    registration.drain()
                    usleep(UInt32(clamping: max(0, drain)) * 1000)
                    registration.cancel()
                }
                kill(child.id, signal)
                return child.waitForEnding()
            }
            if isRegistered {
                if signal < 0 { registration.renew() }
            } else if registration.acceptsConnections() {
                isRegistered = registration.register()
                pause = isRegistered ? RunCommand.renewSeconds * 1000 : RunCommand.retryMilliseconds
            }
        }
    }
}
