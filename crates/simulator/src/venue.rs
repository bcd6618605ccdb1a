//! What a test sets at one exchange of the market alone.

use super::candles::RecordedCandle;
use super::day::Day;
use super::dialect::Dialect;
use super::fault::{Fault, Times};
use super::instrument::decimal;
use super::market::Market;
use super::server::Server;
use super::world::World;
use super::{Simulator, UnixMillis, lock};
use rust_decimal::Decimal;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{io, thread};

/// Symbols are the simulator's own names, such as `BTCUSDT`, whatever the dialect. Methods that
/// take a symbol panic when the market does not have it.
impl Simulator {
    pub(super) fn open(dialect: Dialect, port: u16, world: Arc<Mutex<World>>) -> io::Result<Self> {
        let market = Arc::new(Mutex::new(Market::new(dialect, Arc::clone(&world))));
        let reserved = reserve(port)?;
        let port = reserved
            .local_addr()?
            .as_socket()
            .map_or(port, |address| address.port());
        let server = serve(port, &market)?;
        Ok(Self {
            port,
            _reserved: reserved,
            server: Mutex::new(Some(server)),
            market,
            world,
        })
    }

    /// Whose API it speaks.
    pub fn dialect(&self) -> Dialect {
        self.market().dialect
    }

    /// Its entry for the setting `signal_hub.exchanges`: name and address.
    pub fn entry(&self) -> String {
        format!("{}={}", self.dialect().name(), self.url())
    }

    /// The last 24 hours of a symbol as the market has them, before any exchange prints them.
    #[track_caller]
    pub fn day(&self, symbol: &str) -> Day {
        let now = self.now();
        self.with(symbol, |listed| listed.day(now))
    }

    /// Candles of a symbol as the market has them, of a length in milliseconds, that begin from
    /// `first` to `last`, both multiples of it. The one under way is among them.
    #[track_caller]
    pub fn candles(
        &self,
        symbol: &str,
        length: i64,
        first: UnixMillis,
        last: UnixMillis,
    ) -> Vec<RecordedCandle> {
        let now = self.now();
        let candles = self.with(symbol, |listed| listed.candles(first, last, length, now));
        candles.unwrap_or_default()
    }

    /// Ends its connections and refuses new ones, as a host does where nothing listens.
    pub fn go_down(&self) {
        *lock(&self.server) = None;
    }

    /// Listens again on the same port.
    ///
    /// # Panics
    /// When it cannot.
    #[track_caller]
    pub fn come_back(&self) {
        let mut server = lock(&self.server);
        *server = None;
        match serve(self.port, &self.market) {
            Ok(serving) => *server = Some(serving),
            Err(error) => panic!("port {}: {error}", self.port),
        }
    }

    /// Answers nothing but that the address is banned, on any route, until this time of the
    /// exchange's clock.
    pub fn ban_until(&self, time: UnixMillis) {
        self.market().apart.banned_until = Some(time);
    }

    /// Lists this symbol no longer, though others may: it is in no reply, and unknown.
    #[track_caller]
    pub fn unlist(&self, symbol: &str) {
        self.assert_known(symbol);
        self.market().apart.unlisted.insert(symbol.to_owned());
    }

    /// Lists a symbol again that was unlisted or refused.
    pub fn relist(&self, symbol: &str) {
        let mut market = self.market();
        market.apart.unlisted.remove(symbol);
        market.apart.refused.remove(symbol);
    }

    /// Lists this symbol, and answers every request that names it as if it did not.
    #[track_caller]
    pub fn refuse(&self, symbol: &str) {
        self.assert_known(symbol);
        self.market().apart.refused.insert(symbol.to_owned());
    }

    /// Lets its ticker of a symbol stand still as it is now, its time included, while the market
    /// goes on: this exchange alone has stale data of it. Its candles go on.
    #[track_caller]
    pub fn freeze(&self, symbol: &str) {
        let day = self.day(symbol);
        self.market().apart.frozen.insert(symbol.to_owned(), day);
    }

    /// Lets a ticker go on that stands still.
    pub fn thaw(&self, symbol: &str) {
        self.market().apart.frozen.remove(symbol);
    }

    /// Lets its prices of a symbol differ from those of the market by this many percent; zero
    /// lets them agree again. Each price is rounded to whole ticks, and the 24-hour change stays.
    #[track_caller]
    pub fn differ(&self, symbol: &str, percent: &str) {
        self.assert_known(symbol);
        let percent = decimal(percent);
        assert!(percent > -Decimal::ONE_HUNDRED, "{percent} %");
        let differs = &mut self.market().apart.differs;
        match percent.is_zero() {
            true => differs.remove(symbol),
            false => differs.insert(symbol.to_owned(), percent),
        };
    }

    /// Lets the next requests for the list of instruments go wrong, as those for tickers do.
    pub fn inject_on_instruments(&self, fault: Fault, times: Times) {
        self.market().instrument_faults.inject(fault, times);
    }

    /// Gives a symbol another tick size, at all exchanges: prices that were held stay as they
    /// were set, all others move in steps of the new tick from now on.
    ///
    /// # Panics
    /// When the symbol is not listed, or cannot be simulated with this tick.
    #[track_caller]
    pub fn set_tick_size(&self, symbol: &str, tick_size: &str) {
        let result = self.world().retick(symbol, decimal(tick_size));
        if let Err(problem) = result {
            panic!("{problem}");
        }
    }

    #[track_caller]
    fn assert_known(&self, symbol: &str) {
        let known = self.world().find(symbol).is_some();
        assert!(known, "{symbol} is not listed");
    }
}

/// Processes that are just being started hold what this one has open, for some milliseconds.
const LEFT_OPEN: Duration = Duration::from_secs(10);

fn serve(port: u16, market: &Arc<Mutex<Market>>) -> io::Result<Server> {
    let began = Instant::now();
    loop {
        let market = Arc::clone(market);
        let answer = move |method: &str, target: &str| lock(&market).answer(method, target);
        match Server::start(port, Box::new(answer)) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && began.elapsed() < LEFT_OPEN =>
            {
                thread::sleep(Duration::from_millis(10));
            }
            served => return served,
        }
    }
}

/// Keeps a port from others, without listening on it; 0 takes a free one. Who asks for this port
/// by its number and lets it be shared, as a server does, can listen on it.
fn reserve(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}
