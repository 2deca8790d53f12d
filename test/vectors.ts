/**
 * Known-good answers, made with other implementations of the same formulas. The clock of all of
 * them stands at 1700000000 s unless they say otherwise; the keys were thrown away after use.
 */

/** Signed URLs of bizid 8525 with the key EXAMPLE_PUSH_KEY, and push URLs taken apart. */
export const LIVE_VECTORS = {
  nowMs: 1_700_000_000_000,
  validTimeMs: 604_800_000,
  txTime: '655D2B80',
  urls: [
    {
      streamID: '8525_alice_9f3c',
      md5Input: 'EXAMPLE_PUSH_KEY8525_alice_9f3c655D2B80',
      txSecret: '557464dd0bc1afc35041aa14f2986bd5',
      pushURL:
        'rtmp://8525.livepush.myqcloud.com/live/8525_alice_9f3c?bizid=8525&txSecret=557464dd0bc1afc35041aa14f2986bd5&txTime=655D2B80',
      accelerateURL:
        'rtmp://8525.liveplay.myqcloud.com/live/8525_alice_9f3c?bizid=8525&txSecret=557464dd0bc1afc35041aa14f2986bd5&txTime=655D2B80',
      mixedPlayURL: 'https://8525.liveplay.myqcloud.com/live/8525_alice_9f3c.flv',
    },
    {
      streamID: '8525_bob_1d2e',
      md5Input: 'EXAMPLE_PUSH_KEY8525_bob_1d2e655D2B80',
      txSecret: '1bc8da402d4f1383e70e057aa8d2c704',
      pushURL:
        'rtmp://8525.livepush.myqcloud.com/live/8525_bob_1d2e?bizid=8525&txSecret=1bc8da402d4f1383e70e057aa8d2c704&txTime=655D2B80',
      accelerateURL:
        'rtmp://8525.liveplay.myqcloud.com/live/8525_bob_1d2e?bizid=8525&txSecret=1bc8da402d4f1383e70e057aa8d2c704&txTime=655D2B80',
      mixedPlayURL: 'https://8525.liveplay.myqcloud.com/live/8525_bob_1d2e.flv',
    },
    {
      streamID: '8525_anchor_77aa',
      md5Input: 'EXAMPLE_PUSH_KEY8525_anchor_77aa655D2B80',
      txSecret: 'abbe4962b2cfbad49bb27b7dede579c2',
      pushURL:
        'rtmp://8525.livepush.myqcloud.com/live/8525_anchor_77aa?bizid=8525&txSecret=abbe4962b2cfbad49bb27b7dede579c2&txTime=655D2B80',
      accelerateURL:
        'rtmp://8525.liveplay.myqcloud.com/live/8525_anchor_77aa?bizid=8525&txSecret=abbe4962b2cfbad49bb27b7dede579c2&txTime=655D2B80',
      mixedPlayURL: 'https://8525.liveplay.myqcloud.com/live/8525_anchor_77aa.flv',
    },
    {
      streamID: '8525_alice',
      md5Input: 'EXAMPLE_PUSH_KEY8525_alice655D2B80',
      txSecret: '7c3817015248e9d46db4969848f18cec',
      pushURL:
        'rtmp://8525.livepush.myqcloud.com/live/8525_alice?bizid=8525&txSecret=7c3817015248e9d46db4969848f18cec&txTime=655D2B80',
      accelerateURL:
        'rtmp://8525.liveplay.myqcloud.com/live/8525_alice?bizid=8525&txSecret=7c3817015248e9d46db4969848f18cec&txTime=655D2B80',
      mixedPlayURL: 'https://8525.liveplay.myqcloud.com/live/8525_alice.flv',
    },
    {
      streamID: '8525_room1_alice',
      md5Input: 'EXAMPLE_PUSH_KEY8525_room1_alice655D2B80',
      txSecret: '1ebf6b44b8478e3de88c23a76eacff3d',
      pushURL:
        'rtmp://8525.livepush.myqcloud.com/live/8525_room1_alice?bizid=8525&txSecret=1ebf6b44b8478e3de88c23a76eacff3d&txTime=655D2B80',
      accelerateURL:
        'rtmp://8525.liveplay.myqcloud.com/live/8525_room1_alice?bizid=8525&txSecret=1ebf6b44b8478e3de88c23a76eacff3d&txTime=655D2B80',
      mixedPlayURL: 'https://8525.liveplay.myqcloud.com/live/8525_room1_alice.flv',
    },
    {
      streamID: '8525_testclock_rtmpacc',
      md5Input: 'EXAMPLE_PUSH_KEY8525_testclock_rtmpacc655D2B80',
      txSecret: 'e5ec70578b8fba9f2f027eeb18aa1891',
      pushURL:
        'rtmp://8525.livepush.myqcloud.com/live/8525_testclock_rtmpacc?bizid=8525&txSecret=e5ec70578b8fba9f2f027eeb18aa1891&txTime=655D2B80',
      accelerateURL:
        'rtmp://8525.liveplay.myqcloud.com/live/8525_testclock_rtmpacc?bizid=8525&txSecret=e5ec70578b8fba9f2f027eeb18aa1891&txTime=655D2B80',
      mixedPlayURL: 'https://8525.liveplay.myqcloud.com/live/8525_testclock_rtmpacc.flv',
    },
  ],
  play: {
    streamID: '8525_user_58ba64d6_92ae',
    flv: 'http://8525.liveplay.myqcloud.com/live/8525_user_58ba64d6_92ae.flv',
    rtmp: 'rtmp://8525.liveplay.myqcloud.com/live/8525_user_58ba64d6_92ae',
    hls: 'http://8525.liveplay.myqcloud.com/live/8525_user_58ba64d6_92ae.m3u8',
    acc: 'rtmp://8525.liveplay.myqcloud.com/live/8525_user_58ba64d6_92ae?bizid=8525&txSecret=7fe71c470c37ef1408ec10b0b1197a84&txTime=655D2B80',
  },
  parse: [
    {
      url: 'rtmp://8525.livepush.myqcloud.com/live/8525_alice_9f3c?bizid=8525&txSecret=x&txTime=y',
      streamID: '8525_alice_9f3c',
      subID: 'alice_9f3c',
    },
    {
      url: 'rtmp://8525.livepush.myqcloud.com/live/8525_alice_9f3c',
      streamID: '8525_alice_9f3c',
      subID: 'alice_9f3c',
    },
    {
      url: 'rtmp://push.example.com/app/other_stream?x=1',
      streamID: 'other_stream',
    },
    {
      url: 'rtmp://8525.livepush.myqcloud.com/live/8525_a.b?x=1',
      streamID: null,
    },
    {
      url: '',
      streamID: null,
    },
    {
      url: 'rtmp://h/live/?x=1',
      streamID: null,
    },
    {
      url: 'not a url',
      streamID: null,
    },
  ],
};

/** userSigs of app 1400000000 and account type 12345; v2 is signed with EXAMPLE_SECRET_KEY. */
export const USER_SIG_VECTORS = {
  rsaPublicKey:
    '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvTUv6We1VOTxwasaYBPv\n2Y8tU7+gs4e7QOYpTjpE++cfAnB+Gsa2Z8hg0eZ9u2LYZYO6En0dn/CCsheS0eht\nyEZQWhDQOuI66frmWvs0RjWHXqQcOPLs7Oo9gAkaVavzoHl3TB480J5ztx6wv89F\nCfkCA0Lld6qD8Bb/LdmlGdX/5chAbEQT+Jv4GH/ZTo+YtwKQLKuDL2lQbvoBFA4K\nbdJ8Opb4UoW10eBoF7SVgMSXawAoclrIeh3rgrYOqYkuU0lqp8BRPSiXKtdkYLsi\n9JzwapOWEvcpikqz9RMGxgPJQTHYtlXSyiKFcP/CNQblK2WN9viksaJJNT45Ih75\n0wIDAQAB\n-----END PUBLIC KEY-----\n',
  ecPublicKey:
    '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEA535FmbKieODs8qUbG/mqLuaJsFg\nFZTHBS3VyQ+EWGfzslEIkK/tas/OvTYkzit/f0i0XHAsltV9xzwVmV2Wgg==\n-----END PUBLIC KEY-----\n',
  v1: {
    canonical:
      'TLS.appid_at_3rd:1400000000\nTLS.account_type:12345\nTLS.identifier:alice\nTLS.sdk_appid:1400000000\nTLS.time:1700000000\nTLS.expire_after:2592000\n',
    ok: 'eJxtzF2PmkAAheH-wi1NRUAQk70YhaXCKMqiIjcEZAZGPgYHEGTT-96sa9Kk6bk8T-J*ch78*BnVNUnCqA0llnALbioLr3E-vv1yoV3Vhu2jRl8uSvLsRSRBVUswQYxbcFFBLugFTZKHz*7-gi0pnyH1nx8NNWEojHD77IkzTfyLDUm5BWf3WWtHNw*CON8Cc2dNoSu*W7jfjiRwDlidAWOY6CLcgUilaGLY-Ni4EO4vXVOtJHnF0DCNkmLgp-dovpvv7j7EuKAlxudVeWcnaj-4TneLkmnqmP5itkevCXg-Fv7YxRujwxaywQ0QZlJ5pQmWq8*dXGyax4eq8Fb-OCpJtT73ZQcYTWvdD4BxwOk6RTcFtumWFj5cquAmzR3RXh4FaS3vnbVLln4uy5a4Mib37oZMxGebiqempnsoEobk2l6lc79Zx2kwq4JA0YXAQ3LsZLKCkYso1PJRO4nsNGapa8YCTlAMagr1vExqabPvcLvXDsCSTdL0BwyVWqG7xmfkZE2yR--2xv3*A6HhppA_',
    expired:
      'eJxtzE2PmkAAxvHvwtWmIO*a7AFxF1BgBUSmXsjAAA4IDjDy4qbfvam1l6bP8fknvy-maAffISEYxZDGQoeYNbMUudeYb396mt7uDY3pTLLfnRdE6ZUwyhqKc5x1zJqBV5xmr9CjKn66-wMprp*Q9M*fTQR3WQxz*vTkv3*PC2bN2PDs6x2CpqNtd8NoGiOf*FQCgwpcDa3OJPES317A8Lh9n6VdYGts12ONVl4oplalZhX344CCcSbeNJwj9x2cJU6xToNB9xF7Azigg8fbi2r6EFja81E-SObn4yIP27auHs3K*UDa1Sf19GjM2nCvLe1J*4DLT3dapuNK36tl5Nlh3gT9pFQNmx5aaaiNpkpF1ZXYSM1b2SAHvd7pIQiKnoAoLxynjSZv9u9HfyWC7prI6iIvZ8G8oT1RxgJUt5rjN9KpdU6imOvbsVQ8Oh-opnQK1tpdoqRRhNaF3QXyKPKPzeiHq6QuLSAJILpjOzdkPes8lIgCTuE8yHwzWvZmvHNLPive3pifvwCc0qcI',
    otherUser:
      'eJxtzNmOokAAheF34ZbJCJQImPSF0LIIjSCL4A2RrShpKUpBlsm8e6cdk0kmcy7Pn3y-KN-yfp7bFuXJuUvALafWFLtkXqN*-OlZhvumS7qpLb47B5b8K6G8aDpUouJGrakUp6-7ntfJU-0f16HrkxH**YuxRbciOZfdU*N4ifsb7whSa*qT7h-iVJK7bINCEpS*VYo58PywhzZTE79w0pBWa5dXBYVzZ9a2F251Af6RSNG16j-sWEQc-eDZLs-UlQ4j0TxgLO2HBTEOZVNZg4PmxQRLLKsVnLY3NhI1u5NT*j1kjVVg8eUhiEHZx15wUE6oJ6JnmSCWlMlFzactqPVA9jEngGg0zZ2Qqu0JCiAial3mw3B5zNu9F5Fuo*gbNsqN0Nbc*jagUNQjxtMsIpPTOBZStwt37t6KdDhg83i0HG3EkQ*VrNKKWkG1CKqydRw46lVQj73pDSoYDYxxGpKPJZHQ6F-oXufwot-aWyZU3s15N9pwMmi1vmfqhCt5buTNibmGK-j2Rv3*Au63pk0_',
    wrongApp:
      'eJxdzduumkAAheF34ZamchQw2RecpDAcBAWkN2aEUQYRBgREm777zrYmbbpuv*Rfv6idu-0OCcHFAQ4Hvi*oFcUKzHvUtz*e5*3YDIfhQdCXc7wgvgkXqBnwCaOeWlGwxjl6w624HF7df4PsGwd8fYWk-47QTHCPDvA0vHqcqHB-8YbP1Iq60EbgwjHNnpZ5v1jG7uGui0YyT5lpheCIk70Wz-rOkO2FzhOrYtqf9ZqMUNzrs8LzttSr4yXOaS3iLG1cNnU1S-rRdoXIy3k6dpG3qI21XF9DERCjne50KznblJedTTU2OgCimivjpXwmDBMa4DGhMksXkzNh9Sktr0noj8Tx6ABJ1RI2ilLEpAJZHksae46E1IvtdIo30cK-A26eMbTAD9To3KTNZd8dR*T5VXfuUM-aHbG9EASeA2TVTGsC5US0kjYw9e6pCUPElB7tbd2rgyy22Gb7Mqm1x8xs1bk9Tuxkl3wHjUF1*00Q*H3z2Lk*zlOekWrTrrsNMYNKkwG8ofp2--igfn8C2aelEw__',
    tamperedExpiry:
      'eJxtzMuOokAAheF3Yctk5CaISS9KsBmhVKRRkQ0BqcKSS2EBInTm3Sdtu5hM5izPl-yfnA8-fsZ1TdIobiOZpdycExXhNe7Ht5-PtKvaqB1q9OWSrExfRFJUtQQTxLg5FxfkjF7QpHn07P4v2JLyGdL**dGjJgxFMW6fPVmcyupf3JCMm3NOf2md*OZDkOQbYLm2CD3p3cb9ZiThdo*1KVg*JqYEXRBrFE2WDj82HoS7c9dUhqwYDD3EOC0evHiPZ*7MvQcQ44KWGJ*M8s6O1Bn4zvSKkunamP1ijk*vKXg-FMHYJetlh23kgBsgzKKKoQu2Z862udQ0w4em8nY-HNS0Wp36sgOMZrUZhGC5x9kqQzcVttmGFgFcaOAmz7aSszgI8krZbVceWQS5otiSsZzcuxuyEH9ZVzy1dNNHsfBIr*1VPvXrVZKF0yoMVVMIfaQk24uiYuQhCvV81I8SO46XzLMSAacoATWFZl6mtbzedbjd6XtgKxZp*j2Gaq1StwkYOdqTy9C-vXG--wCGsabw',
    javaStyleEc:
      'eJxdjlFrgzAURv-LfR4jpg3phD24bmNinVUbC30JwcQQrEZM5lrG-vtoK2zsPp4D535fsNuU92IYjOTC88UoIQQEdzdc1-aj99yfB-UHG6l6bxqjRghBHE2tZuFky68pCCFYovlm6U13iQT0H1enwYyKi8Zfe5g84F-pjIYQ0he2jvM1qTKFD3JXRsyv3qLNfrJZfGjTZH-cJpl9Pol0Rauu1Z2OdeGIpgVNnGBVmn0WijBd2u2S5hg19PVMaMQm4d-RU-44P5vU6IztLyNQQAK8uM38-gH-DVag',
    newlineIdentifier:
      'eJxtjd2OmkAARt*FW5syjIyAyV6A1K74B4ogpokZh0EGAXFgRGj67s3aTbPZ9rv8TnLOT8lfbL-iqmLxETfHIY*lsaSo4H3Slz*ckKsom2PTVfSNw6GK3hGLadmwhFEujSWcM0J-lG9-HV*OT*34H9tf9L9Uw4pnQvv000fFOD3ipHmWIDLgByM7S2OpCkKlakF-Wmd1rWppYN9tV8vABQ5b04q3i6qYu5lpkHNNDlYoBufwkAeYjYZOcdstUXfX0wmETa3O0h6mAzTyC-SARMXixE-5w93gnvXINsN1WAXZQk8m5dKPuPWNb9xu5VXNqC8BCHa2P21VM9KFhc4rLzxFwY1cb98vFthz0YOl54gdu8tmxBUDToPY4aXwqJDnazuddAfNW8rXGFP52g947ydt3OxX7YzTXNReV842Oq7PqexdZjpuL50us-SVbM3Md1HuQUdNXiPIZWFEI1RM7-6*HslaNo-wLd9QNk0VEIqymoeDVLF3KPF9egKtU7RrdzXwQW0tSI4iY5nTMnaHpH15kX79BrKurq4_',
    issuedInFuture:
      'eJxtzMuOokAAheF3YctkuCua9AIBKRoQ5CawIQgF1KAlQqFoZ959Mo5Jb*Ysz5f8X1RoBz*LvkdVXpBcGCpqTXEi*x7145*X5WXCJCePHv51XhClN6EKYoJqBAdqTRUnVMI3jFWXv7r-CxJ0foWWAicJi*8fzj0aYF7U5NXjpRX-jSNqqDVlHA58HG6DgyDXjlK6v5J0Ny2i2h-sR62Uk8P7etnKuivW6nFj7MBFFsiUZjTC3sgBb7iuAFmYm*jeqPGzkPzAIv5Y1fxpn3GKNYxRGH86QGtpc656a5cAzYXpZnmtNUj3XhsabCSQYxaIz*gG0dlt2BjMl-Koe3J29HGncW6tSotdA7Yhmcc0eMaNw3RYbYu468yTgxIAzFXq4ptyTgnbr8pB2jq*7U3VECOplckDG2q6rCKRY-iJU2iZBaZu84nMBlC8l0hQHoTur87EHJTPBp2rEM-W1OF7Zy0dPjnpmBZjxb8kla2JKV8-8c6PLo1uKtbZX06Aca57c8tAINoybWTsbf-xQf3*A4xdo84_',
  },
  attackerUserID:
    'admin\nTLS.sdk_appid:1400000000\nTLS.time:1700000000\nTLS.expire_after:999999999999',
  v2: {
    canonical:
      'TLS.identifier:alice\nTLS.sdkappid:1400000000\nTLS.time:1700000000\nTLS.expire:86400\n',
    hmac: '076v2K5gTRQyFcJXLipJQpt4TEw5KB2OalYQJ3ht29c=',
    json: '{"TLS.ver":"2.0","TLS.identifier":"alice","TLS.sdkappid":1400000000,"TLS.time":1700000000,"TLS.expire":86400,"TLS.sig":"076v2K5gTRQyFcJXLipJQpt4TEw5KB2OalYQJ3ht29c="}',
    ok: 'eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwok5mcmpUInilOzEgoLMFCUrQxMDKIDIlGTmpipZGZqjiqZWFGQWpSpZWZiZwISKM9OVrJQMzM3KjLxN00OCAivdkr0ifDILvAILSkxCXMtNvZ2M-BNzIgO9jDNKjCyTbZVqAXHyL*Q_',
    expired:
      'eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwok5mcmpUInilOzEgoLMFCUrQxMDKIDIlGTmpipZGZqiiqZWFGQWpSpZmUH5xZnpSlZKRY7G*W6hHlVZ6cEG4c7OBY6Glfo5YVkZ2VFBJuk5*SEZqQWO7h6BwSWu6bZKtQAMvzBJ',
  },
  roomTicket: {
    canonical:
      'TLS.identifier:alice\nTLS.sdkappid:1400000000\nTLS.time:1700000000\nTLS.expire:3600\nTLS.userbuf:AAAFYWxpY2VTck4AAAAD6WVT/xAAAAD/AAAAAA==\n',
    hmac: 'UcoT8sjw0wK12rFh4JMOKQh8BuLLRadn3/3H+jzA8No=',
    userbuf: 'AAAFYWxpY2VTck4AAAAD6WVT/xAAAAD/AAAAAA==',
  },
};

/** Signatures of the package's own demonstration key; `TLS.sig` alone, as compression may differ. */
export const PACKAGE_VECTORS = {
  secretKey: '5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e',
  sdkAppID: 1400000000,
  userID: 'xiaojun',
  timeS: 1600000000,
  expireS: 15552000,
  plain: {
    sig: '1Z5PngDjGaufeSiPoBuxdHY7EK3JTdAjMP93S4KvV3M=',
  },
  room: {
    userbuf: 'AAAHeGlhb2p1blNyTgAAACcQYEteAAAAAP8AAAAA',
    sig: 'QQY8WpPtnz7YZSG2peQjkXFqylqgPMeZmrrJaErpMxE=',
  },
  stringRoom: {
    userbuf: 'AQAHeGlhb2p1blNyTgAAAAAAYEteAAAAAP8AAAAAAAlzb21lIHJvb20=',
    sig: 'ufStnrFbx4qD7fgDVf6XQh0Zd+O8lS4xAMwLD16EYWI=',
  },
};
