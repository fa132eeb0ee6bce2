//! Figures with their spread, as a table.

/// A table that is printed when it is whole.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    rows: Vec<[String; 4]>,
}

impl Table {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            rows: Vec::new(),
        }
    }

    /// A figure with the values of its repetitions; nothing where there are none.
    pub(crate) fn add(&mut self, name: &str, wanted: &str, mut values: Vec<f64>) {
        if values.is_empty() {
            return;
        }
        let median = share(&mut values, 50);
        let spread = match values.as_slice() {
            [_] => String::new(),
            [least, .., most] => format!("{} to {}", short(*least), short(*most)),
            [] => return,
        };
        let row = [name.to_owned(), wanted.to_owned(), short(median), spread];
        eprintln!("  {}: {} ({})", row[0].trim(), row[2], row[3]);
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        println!("\n{} (load of the machine {})", self.title, load());
        let head = ["figure", "wanted", "median", "spread"].map(str::to_owned);
        let all = || std::iter::once(&head).chain(&self.rows);
        let width = |column: usize| all().map(|row| row[column].len()).max().unwrap_or(0);
        let [name, wanted, median] = [0, 1, 2].map(width);
        for row in all() {
            println!(
                "{:name$}  {:>wanted$}  {:>median$}  {}",
                row[0], row[1], row[2], row[3]
            );
        }
    }
}

/// The value that so many of a hundred do not exceed. Sorts.
pub(crate) fn share(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values
        .get((last * percent).div_ceil(100))
        .copied()
        .unwrap_or(f64::NAN)
}

fn short(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.2}"),
        large if large < 100.0 => format!("{large:.1}"),
        large => format!("{large:.0}"),
    }
}

/// How many processes want a processor, on average of a minute, five and fifteen.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

pub(crate) fn print_machine() {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{processors} processors, shared by the server and the simulated runners; load {}",
        load()
    );
}
