import Foundation

/// A terminal without a screen, and a program that runs in it.
final class Terminal {
    /// Its outputs are no terminal.
    let child: ChildProcess
    private var keyboard: Int32

    /// Starts the program in a session of its own, in the foreground of the terminal.
    init(_ program: String, _ arguments: [String], environment: [String: String]) throws {
        keyboard = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard keyboard >= 0 else { throw Failure("no terminal: errno \(errno)") }
        do {
            child = try ChildProcess(
                "/usr/bin/setsid", ["--ctty", program] + arguments, environment: environment,
                input: try Terminal.path(of: keyboard))
        } catch {
            close(keyboard)
            throw error
        }
    }

    deinit { hangUp() }

    /// As if its window were closed.
    func hangUp() {
        if keyboard >= 0 { close(keyboard) }
        keyboard = -1
    }

    /// The other end, which a program opens.
    private static func path(of keyboard: Int32) throws -> String {
        // TIOCSPTLCK and TIOCGPTN, which are too complex for Swift to import.
        let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
        var (isLocked, number): (Int32, Int32) = (0, 0)
        guard unsafe ioctl(keyboard, setLock, &isLocked) == 0,
            unsafe ioctl(keyboard, getNumber, &number) == 0
        else { throw Failure("no terminal: errno \(errno)") }
        return "/dev/pts/\(number)"
    }

    /// The control key and a letter.
    func pressControl(_ letter: String) throws {
        var key = (letter.utf8.first ?? 0) & 0x1F
        guard unsafe write(keyboard, &key, 1) == 1 else {
            throw Failure("the terminal takes no key: errno \(errno)")
        }
    }
}
