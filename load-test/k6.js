// The exchange under a constant rate of single orders, for those who know k6:
//
//     k6 run --env RATE=2000 --env SECONDS=60 load-test/k6.js
//
// The rate is kept whatever the exchange does. k6 starts an order when it is due and counts from
// there; what it could not start in time it reports as dropped iterations, and here that fails the
// run. The load generator beside this file measures more closely and costs less.

import http from 'k6/http';
import { check } from 'k6';
import exec from 'k6/execution';

const TARGET = __ENV.TARGET || 'http://127.0.0.1:8080';
const RATE = Number(__ENV.RATE || 2000);
const SECONDS = Number(__ENV.SECONDS || 60);
const KEY = __ENV.SHARDBOOK_KEY;
const RUN = `k6-${Date.now()}`;

// What one lot and one tick are worth does not matter here: prices and quantities fit them all.
const INSTRUMENTS = [
  { symbol: 'BTC-USD', middle: 70000 },
  { symbol: 'ETH-USD', middle: 3500 },
  { symbol: 'SOL-USD', middle: 150 },
];

export const options = {
  scenarios: {
    orders: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: `${SECONDS}s`,
      preAllocatedVUs: 64,
      maxVUs: 512,
    },
  },
  summaryTrendStats: ['min', 'med', 'p(90)', 'p(99)', 'p(99.9)', 'max'],
  thresholds: {
    checks: ['rate==1'],
    dropped_iterations: ['count==0'],
    http_req_duration: ['med<100'],
  },
};

export default function placeOrder() {
  const number = exec.scenario.iterationInTest;
  const instrument = INSTRUMENTS[number % INSTRUMENTS.length];
  const side = Math.random() < 0.5 ? 'buy' : 'sell';
  // Within half a percent of the middle, one of twenty across it.
  const away = (Math.random() - (Math.random() < 0.05 ? 0.5 : 0)) * 0.005;
  const price = instrument.middle * (1 + (side === 'buy' ? -away : away));
  const order = {
    order_id: `${RUN}-${number}`,
    client_id: `trader-${number % 100}`,
    instrument: instrument.symbol,
    side,
    type: 'limit',
    price: price.toFixed(2),
    quantity: ((1 + (number % 500)) / 1000).toFixed(3),
  };
  const headers = { 'Content-Type': 'application/json' };
  if (KEY) headers['X-API-Key'] = KEY;
  const answer = http.post(`${TARGET}/orders`, JSON.stringify(order), { headers });
  check(answer, { 'the order is acknowledged': (given) => given.status === 201 });
}
