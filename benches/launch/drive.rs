//! Runs the subjects in turn, and compares each with the reference of the same round.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A subject: a process that launches helpers on request and reports the time.
pub struct Driven {
    name: String,
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Driven {
    /// The C program with a thread for each outstanding launch.
    pub fn bare(bare: &Path, helper: &Path) -> Self {
        Self::start("bare C", Command::new(bare).arg(helper))
    }

    /// The C program with one thread for all outstanding launches.
    pub fn bare_on_one_thread(bare: &Path, helper: &Path) -> Self {
        Self::start("bare C, one thread", Command::new(bare).arg(helper).arg("one"))
    }

    pub fn subject(program: &Path, kind: &str, helper: &Path, burden: &str) -> Self {
        let name = match burden {
            "plain" => kind.to_owned(),
            burden => format!("{kind}, {burden}"),
        };
        Self::start(&name, Command::new(program).arg("--subject").arg(kind).arg(helper).arg(burden))
    }

    fn start(name: &str, command: &mut Command) -> Self {
        // Cargo sets it for its benches, and `Command` passes it on: the loader of a helper would look for the C library in
        // folders of the toolchain first. The engine's helpers do not have it.
        command.env_remove("LD_LIBRARY_PATH");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { name: name.to_owned(), child, pipes: RefCell::new(pipes) }
    }

    /// The time for `launches` launches, in nanoseconds.
    fn run(&self, launches: usize, outstanding: usize) -> f64 {
        self.costs(launches, outstanding)[0]
    }

    /// The time for `launches` launches and the processor time that they cost, in nanoseconds.
    fn costs(&self, launches: usize, outstanding: usize) -> [f64; 2] {
        let (to, from) = &mut *self.pipes.borrow_mut();
        writeln!(to, "{launches} {outstanding}").unwrap();
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let mut numbers = line.split_whitespace().map_while(|number| number.parse().ok());
        let mut next = || numbers.next().unwrap_or_else(|| panic!("{} answered {line:?}", self.name));
        [next(), next()]
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line of the table.
pub struct Row {
    title: String,
    name: String,
    micros: f64,
    /// The time relative to the reference: low quartile, median, high quartile.
    ratio: Option<[f64; 3]>,
}

impl Row {
    pub fn print(&self) {
        let Self { title, name, micros, ratio } = self;
        match ratio {
            None => println!("{title:<42} {name:<18} {micros:>9.1} us a launch"),
            Some([low, median, high]) => {
                println!("{title:<42} {name:<18} {micros:>9.1} us a launch  {median:>6.2} x  ({low:.2} to {high:.2})");
            }
        }
    }
}

/// Runs all subjects in turn, `rounds` times, after one round that does not count.
pub fn ratio_rows(
    title: &str,
    yardstick: &Driven,
    subjects: &[Driven],
    launches: usize,
    outstanding: usize,
    rounds: usize,
) -> Vec<Row> {
    let mut base = Vec::new();
    let mut times = vec![Vec::new(); subjects.len()];
    for round in 0..=rounds {
        let before = yardstick.run(launches, outstanding);
        let turn: Vec<f64> = subjects.iter().map(|s| s.run(launches, outstanding)).collect();
        if round > 0 {
            base.push(before);
            times.iter_mut().zip(turn).for_each(|(all, t)| all.push(t));
        }
    }
    let micros = |times: &[f64]| quartiles(times)[1] / launches as f64 / 1000.0;
    let row = |name: &str, micros, ratio| Row { title: title.to_owned(), name: name.to_owned(), micros, ratio };
    let mut rows = vec![row(&yardstick.name, micros(&base), None)];
    for (subject, times) in subjects.iter().zip(&times) {
        let ratios: Vec<f64> = times.iter().zip(&base).map(|(t, b)| t / b).collect();
        rows.push(row(&subject.name, micros(times), Some(quartiles(&ratios))));
    }
    rows
}

/// The costs of one subject relative to another, from pairs of short runs, one directly after the other.
pub struct Pairs {
    title: String,
    names: [String; 2],
    /// For the time and for the processor time: the median of the pairs' ratios and its 95 % interval: low, median,
    /// high.
    ratios: [[f64; 3]; 2],
    pairs: usize,
}

impl Pairs {
    pub fn print(&self) {
        let Self { title, names: [of, to], ratios, pairs } = self;
        for (what, [low, median, high]) in ["time", "processor time"].iter().zip(ratios) {
            println!("{title:<22} {of} / {to}, {what}: {median:.3} (95 %: {low:.3} to {high:.3}, {pairs} pairs)");
        }
    }
}

/// Measures `pairs` ratios of two subjects. The order alternates, so that a drift of the machine favours neither.
pub fn paired(title: &str, of: &Driven, to: &Driven, launches: usize, outstanding: usize, pairs: usize) -> Pairs {
    let both =
        |first: &Driven, second: &Driven| (first.costs(launches, outstanding), second.costs(launches, outstanding));
    both(of, to);
    let mut ratios = [const { Vec::new() }; 2];
    for pair in 0..pairs {
        let (a, b) = if pair % 2 == 0 {
            both(of, to)
        } else {
            let (b, a) = both(to, of);
            (a, b)
        };
        for (ratios, (a, b)) in ratios.iter_mut().zip(a.iter().zip(b)) {
            ratios.push(a / b);
        }
    }
    let ratios = ratios.map(|mut ratios| {
        ratios.sort_by(f64::total_cmp);
        median_interval(&ratios)
    });
    Pairs { title: title.to_owned(), names: [of.name.clone(), to.name.clone()], ratios, pairs }
}

/// The median of sorted values, between its 95 % confidence bounds. The bounds are ranks of the binomial distribution,
/// which assume no distribution of the values (David and Nagaraja, Order Statistics, 7.1).
fn median_interval(sorted: &[f64]) -> [f64; 3] {
    let count = sorted.len() as f64;
    let half = 1.96 * count.sqrt() / 2.0;
    let at = |rank: f64| sorted[(rank.max(0.0) as usize).min(sorted.len() - 1)];
    [at(((count / 2.0) - half).floor()), at(count / 2.0), at((count / 2.0 + half).ceil())]
}

fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|q| sorted[(sorted.len() - 1) * q / 4])
}
