internal import ArgumentParser
internal import DiscoveryWire

/// Why a command did not do what it was asked, with the exit code that scripts tell it by.
enum CommandFailure: Error, Equatable, CustomStringConvertible {
    /// There is no such app or instance; or two nodes differ.
    case nothing(String)
    /// The registry said no.
    case refused(code: Int, message: String)
    /// No node answers.
    case unreachable(String)
    /// A file, or the command's own machinery.
    case broken(String)
    /// The program that was run ended with this, which is the exit code then.
    case ended(Int32)

    var exitCode: ExitCode {
        switch self {
        case .nothing: ExitCode(1)
        case .refused: ExitCode(2)
        case .unreachable: ExitCode(3)
        case .broken: ExitCode(4)
        case .ended(let code): ExitCode(code)
        }
    }

    var description: String {
        switch self {
        case .nothing(let what), .unreachable(let what), .broken(let what): what
        case .ended: ""
        case .refused(let code, let message): "the registry answered \(code): \(message)"
        }
    }

    /// On the standard error. A node or a provider chose what is in it: nothing a terminal obeys.
    func tell() {
        for line in description.split(separator: "\n") {
            StandardStream.error.write(line: Message.shown(String(line)))
        }
    }

    /// Behind the abstract of every command of this kind.
    static let exitCodes = """
        EXIT CODES
          0 done   1 no such app or instance   2 refused   3 no node answers   4 broken   64 usage
        """
}

/// A command that asks nodes: prints what went wrong and ends with its code.
protocol ClientCommand: ParsableCommand {
    func carryOut() throws(CommandFailure)
}

extension ClientCommand {
    func run() throws {
        do throws(CommandFailure) {
            try carryOut()
        } catch {
            error.tell()
            throw error.exitCode
        }
    }
}
